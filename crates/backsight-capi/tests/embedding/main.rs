//! Programs of C, C++ and Go with the library, as it is installed.

mod command;
mod common;
mod examples;
mod go;
mod programs;
