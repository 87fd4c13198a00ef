//! Columns in the layout of Arrow, and a record batch as the capsules of Arrow's PyCapsule
//! interface.

use std::sync::Arc;

use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::failure::{Failure, FailureKind, Result};

/// Columns of one length, with their names.
#[derive(Default)]
pub(crate) struct Columns {
    fields: Vec<Field>,
    data: Vec<ArrayData>,
}

/// A column that cannot be made is a bug.
fn bug(error: &ArrowError) -> Failure {
    Failure::new(FailureKind::Panic, format!("a column of Arrow: {error}"))
}

fn built(builder: arrow_data::ArrayDataBuilder) -> Result<ArrayData> {
    builder.build().map_err(|error| bug(&error))
}

impl Columns {
    /// Adds a column of numbers, some of which may be missing.
    pub(crate) fn numbers<T: ArrowNativeType>(
        &mut self,
        name: &str,
        of: DataType,
        values: impl Iterator<Item = Option<T>>,
    ) -> Result {
        let (mut all, mut there) = (Vec::new(), Vec::new());
        for value in values {
            there.push(value.is_some());
            all.push(value.unwrap_or_default());
        }
        let builder = ArrayData::builder(of)
            .len(all.len())
            .nulls(Some(NullBuffer::from(there)))
            .add_buffer(Buffer::from_vec(all));
        self.add(name, true, built(builder)?);
        Ok(())
    }

    /// Adds a column of addresses.
    pub(crate) fn addresses(&mut self, name: &str, values: impl Iterator<Item = u64>) -> Result {
        let all: Vec<u64> = values.collect();
        let builder = ArrayData::builder(DataType::UInt64).len(all.len());
        self.add(
            name,
            false,
            built(builder.add_buffer(Buffer::from_vec(all)))?,
        );
        Ok(())
    }

    /// Adds a column of yes and no.
    pub(crate) fn flags(&mut self, name: &str, values: impl Iterator<Item = bool>) -> Result {
        let all: BooleanBuffer = values.collect();
        let builder = ArrayData::builder(DataType::Boolean)
            .len(all.len())
            .add_buffer(all.into_inner());
        self.add(name, false, built(builder)?);
        Ok(())
    }

    /// Adds a column of texts, some of which may be missing.
    pub(crate) fn texts<S: AsRef<str>>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<S>>,
    ) -> Result {
        let (mut bytes, mut ends, mut there) = (Vec::new(), vec![0_i64], Vec::new());
        for value in values {
            there.push(value.is_some());
            bytes.extend_from_slice(value.as_ref().map_or("", AsRef::as_ref).as_bytes());
            ends.push(end(bytes.len()));
        }
        let builder = ArrayData::builder(DataType::LargeUtf8)
            .len(there.len())
            .nulls(Some(NullBuffer::from(there)))
            .add_buffer(Buffer::from_vec(ends))
            .add_buffer(Buffer::from_vec(bytes));
        self.add(name, true, built(builder)?);
        Ok(())
    }

    /// Adds a column of lists: of each row, how many rows of `items` are its own.
    pub(crate) fn lists(
        &mut self,
        name: &str,
        items: Self,
        counts: impl Iterator<Item = usize>,
    ) -> Result {
        let mut ends = vec![0_i64];
        let mut all = 0_usize;
        for count in counts {
            all = all.saturating_add(count);
            ends.push(end(all));
        }
        let items = items.into_rows(all)?;
        let item = Field::new("item", items.data_type().clone(), false);
        let builder = ArrayData::builder(DataType::LargeList(Arc::new(item)))
            .len(ends.len().saturating_sub(1))
            .add_buffer(Buffer::from_vec(ends))
            .add_child_data(items);
        self.add(name, false, built(builder)?);
        Ok(())
    }

    /// Adds a column, whose type does not depend on its rows: batches can be put together.
    fn add(&mut self, name: &str, nullable: bool, data: ArrayData) {
        self.fields
            .push(Field::new(name, data.data_type().clone(), nullable));
        self.data.push(data);
    }

    fn into_rows(self, count: usize) -> Result<ArrayData> {
        let mut builder = ArrayData::builder(DataType::Struct(Fields::from(self.fields)));
        builder = builder.len(count);
        for data in self.data {
            builder = builder.add_child_data(data);
        }
        built(builder)
    }

    /// Returns the capsules of the columns' schema and of their `count` rows.
    pub(crate) fn into_capsules(
        self,
        py: Python<'_>,
        count: usize,
    ) -> PyResult<Bound<'_, PyTuple>> {
        let schema = Schema::new(self.fields.clone());
        let schema = FFI_ArrowSchema::try_from(&schema).map_err(|error| bug(&error))?;
        let rows = FFI_ArrowArray::new(&self.into_rows(count)?);
        let schema = PyCapsule::new_with_value(py, schema, c"arrow_schema")?;
        let rows = PyCapsule::new_with_value(py, rows, c"arrow_array")?;
        PyTuple::new(py, [schema, rows])
    }
}

fn end(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}
