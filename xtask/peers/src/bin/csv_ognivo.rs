//! ognivo's decoder: bytes in memory to typed columns.

use ognivo_peers::{decode, measure};

fn main() {
    measure(decode);
}
