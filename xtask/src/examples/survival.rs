//! Nine hundred passengers of a ship that sank; the age of every fifth is not known.

use std::fmt::Write as _;

use super::Random;

const N_PASSENGERS: usize = 900;
const SEED: u64 = 20_260_102;

/// The table, with a header. Fares are in the money of the time.
pub(super) fn csv() -> String {
    let mut random = Random::new(SEED);
    let mut text = String::from("class,sex,age,relatives,fare,port,survived\n");
    for _ in 0..N_PASSENGERS {
        let class = [1, 1, 2, 3, 3][random.whole(0, 4) as usize];
        let is_woman = random.share() < 0.36;
        let age = (31.0 - 4.0 * f64::from(class) + 8.0 + 14.0 * random.normal()).max(0.4);
        let relatives = (random.between(-2.0, 4.0) * random.share()).max(0.0) as i64;
        let fare = 8.0 + 30.0 * f64::from(3 - class) * random.between(0.4, 1.6) + 4.0 * relatives as f64;
        let port = ["s", "s", "s", "c", "q"][random.whole(0, 4) as usize];
        let chance = 0.12
            + 0.58 * f64::from(u8::from(is_woman))
            + 0.11 * f64::from(3 - class)
            + if age < 12.0 { 0.3 } else { 0.0 }
            - 0.05 * relatives as f64;
        let survived = u8::from(random.share() < chance);
        let sex = if is_woman { "female" } else { "male" };
        let age = if random.share() < 0.2 { String::new() } else { format!("{age:.1}") };
        let _ = writeln!(text, "{class},{sex},{age},{relatives},{fare:.2},{port},{survived}");
    }
    text
}
