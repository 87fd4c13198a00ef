//! Which code is whose: ranges, their lists, and the tables that say which unit has which.

pub(super) mod aranges;
pub(super) mod range;
pub(super) mod range_list;
pub(super) mod roots;
pub(super) mod unit_map;
