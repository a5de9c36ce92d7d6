//! A thousand houses that were sold, some with a year of building that nobody knows.

use std::fmt::Write as _;

use super::Random;

const N_HOUSES: usize = 1000;
const SEED: u64 = 20_260_101;

/// The table, with a header. Prices are in thousands.
pub(super) fn csv() -> String {
    let mut random = Random::new(SEED);
    let mut text = String::from("area_m2,rooms,floor,year_built,distance_km,condition,price\n");
    for _ in 0..N_HOUSES {
        let area = random.between(28.0, 180.0);
        let rooms = (area / 26.0 + random.between(-0.8, 1.2)).max(1.0) as i64;
        let floor = random.whole(0, 9);
        let year = random.whole(1925, 2024);
        let distance = random.between(0.3, 24.0);
        // a is as new, d wants a builder.
        let condition = random.whole(0, 3);
        let price = 24.0 + 2.35 * area + 6.5 * rooms as f64 + 0.9 * floor as f64 + 0.42 * (year - 1975) as f64
            - 4.1 * distance
            - 14.0 * condition as f64
            + 17.0 * random.normal();
        let year = if random.share() < 0.015 { String::new() } else { year.to_string() };
        let condition = ["a", "b", "c", "d"][condition as usize];
        let _ = writeln!(text, "{area:.1},{rooms},{floor},{year},{distance:.1},{condition},{price:.1}");
    }
    text
}
