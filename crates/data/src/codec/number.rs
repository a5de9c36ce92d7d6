//! Numbers as Java reads and prints them.
//!
//! Spark hands the text of a field to `Integer.parseInt`, `Long.parseLong`, `Double.parseDouble` and their brothers,
//! and prints a double with `Double.toString`. The functions here accept and print the same texts.
//!
//! Advice before changing the parsers: every field of every row passes here. The fast paths read eight or sixteen
//! bytes at once and give up (`None`) on anything unusual; the slow paths are the definition of what is right, and a
//! fast path may only answer what the slow one would.

mod decimal;
mod double;
mod integer;
mod java17;
mod print;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sixteen;

pub use decimal::parse_decimal;
pub(crate) use decimal::{decimal_digits, decimal_parts_of};
pub(crate) use double::{ShortDecimal, short_decimal_at, trim_java};
pub use double::{parse_double, parse_float};
pub(crate) use integer::parse_long_at;
pub use integer::{parse_int, parse_long};
pub use print::{double_to_spark_string, float_to_spark_string, write_double, write_float, write_long};
