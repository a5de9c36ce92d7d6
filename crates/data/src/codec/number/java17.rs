//! The digits of a double as JVMs before 19 choose them.
//!
//! `Double.toString` gives the shortest digits only since JDK 19. Before, it generated digits one by one until the rest
//! was within half a step to the neighbours, with a few shortcuts, and so gave some doubles a digit too many
//! (`2.0E23` as `1.9999999999999998E23`). Spark 2.4 to 4.x on Java 8, 11 and 17 print that way, and the labels of a
//! StringIndexer over doubles are what they print.
//!
//! The steps are those of OpenJDK's `FloatingDecimal.dtoa` with its three widths of arithmetic, whose comparisons
//! differ (`>` in 32 and 64 bits, `>=` beyond). Checked against a JDK 17, see the tests.

use std::cmp::Ordering;

/// Bits needed for `5^n`.
fn bits_of_power_of_5(n: i64) -> i64 {
    const KNOWN: [i64; 27] =
        [0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56, 59, 61];
    // Beyond 64 bits the original guesses three bits for each power.
    usize::try_from(n).ok().and_then(|n| KNOWN.get(n).copied()).unwrap_or(n * 3)
}

/// Decimal digits and where the point stands: `0.d1d2d3… × 10^exponent`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) digits: Vec<u8>,
    pub(super) exponent: i64,
}

/// The digits of a double that is finite and above 0.
pub(super) fn digits_of_double(value: f64) -> Digits {
    let bits = value.to_bits();
    digits(bits & ((1 << 52) - 1), (bits >> 52) as i64, 1023, 52)
}

/// The digits of a float that is finite and above 0.
pub(super) fn digits_of_float(value: f32) -> Digits {
    let bits = u64::from(value.to_bits());
    digits(bits & ((1 << 23) - 1), (bits >> 23) as i64, 127, 23)
}

/// `fraction` has `width` bits below the leading one, which only a normal number (`bin_exp` above 0) has.
fn digits(fraction: u64, bin_exp: i64, bias: i64, width: i64) -> Digits {
    let (fraction, bin_exp, significant_bits) = match bin_exp {
        0 => {
            let shift = i64::from(fraction.leading_zeros()) - (63 - width);
            (fraction << shift, 1 - shift, width + 1 - shift)
        }
        _ => (fraction | 1 << width, bin_exp, width + 1),
    };
    let bin_exp = bin_exp - bias;
    let fraction = fraction << (52 - width);

    let tail_zeros = i64::from(fraction.trailing_zeros());
    let fraction_bits = 53 - tail_zeros;
    let tiny_bits = (fraction_bits - bin_exp - 1).max(0);
    let is_small_integer =
        (-21..=62).contains(&bin_exp) && tiny_bits == 0 && fraction_bits + bits_of_power_of_5(tiny_bits) < 64;
    if is_small_integer {
        let insignificant = match bin_exp > significant_bits {
            true => decimal_digits_in_bits(bin_exp - significant_bits - 1),
            false => 0,
        };
        let whole = match bin_exp >= 52 {
            true => fraction << (bin_exp - 52),
            false => fraction >> (52 - bin_exp),
        };
        return integer_digits(whole, insignificant);
    }
    generate(fraction, bin_exp, significant_bits, tail_zeros, fraction_bits, tiny_bits)
}

/// Decimal digits that `bits` low bits cannot vouch for.
fn decimal_digits_in_bits(bits: i64) -> u32 {
    match bits > 1 {
        true => (bits as f64 * std::f64::consts::LOG10_2) as u32,
        false => 0,
    }
}

fn integer_digits(mut whole: u64, insignificant: u32) -> Digits {
    let mut exponent = 0;
    if insignificant > 0 {
        let power = 10u64.pow(insignificant);
        let rest = whole % power;
        whole /= power;
        exponent += i64::from(insignificant);
        if rest >= power >> 1 {
            whole += 1;
        }
    }
    let text = whole.to_string();
    exponent += text.len() as i64;
    Digits { digits: text.trim_end_matches('0').bytes().map(|b| b - b'0').collect(), exponent }
}

/// An estimate of the decimal exponent that is right or one too high.
#[allow(clippy::approx_constant)] // the original's logarithm has these digits, and the estimate hangs on them
fn estimated_exponent(fraction: u64, bin_exp: i64) -> i64 {
    let mantissa = f64::from_bits((1023 << 52) | (fraction & ((1 << 52) - 1)));
    let estimate = (mantissa - 1.5) * 0.289529654 + 0.176091259 + bin_exp as f64 * 0.301029995663981;
    estimate.floor() as i64
}

fn generate(
    fraction: u64,
    bin_exp: i64,
    significant_bits: i64,
    tail_zeros: i64,
    fraction_bits: i64,
    tiny_bits: i64,
) -> Digits {
    let mut exponent = estimated_exponent(fraction, bin_exp);
    // The value is b / s and half a step to a neighbour m / s, each a product of powers of 2 and 5.
    let b5 = (-exponent).max(0);
    let mut b2 = b5 + tiny_bits + bin_exp;
    let s5 = exponent.max(0);
    let mut s2 = s5 + tiny_bits;
    let m5 = b5;
    let mut m2 = b2 - significant_bits;
    let fraction = fraction >> tail_zeros;
    b2 -= fraction_bits - 1;
    let common = b2.min(s2);
    b2 -= common;
    s2 -= common;
    m2 -= common;
    // Below a power of two the neighbour is half as far.
    if fraction_bits == 1 {
        m2 -= 1;
    }
    if m2 < 0 {
        b2 -= m2;
        s2 -= m2;
        m2 = 0;
    }
    let b_bits = fraction_bits + b2 + bits_of_power_of_5(b5);
    let ten_s_bits = s2 + 1 + bits_of_power_of_5(s5 + 1);
    let mut scaled = match b_bits.max(ten_s_bits) {
        ..32 => Scaled::Narrow(Narrow::new::<32>(fraction, (b5, b2), (s5, s2), (m5, m2))),
        32..64 => Scaled::Narrow(Narrow::new::<64>(fraction, (b5, b2), (s5, s2), (m5, m2))),
        _ => Scaled::Wide(Wide::new(fraction, (b5, b2), (s5, s2), (m5, m2))),
    };
    let mut digits = Vec::with_capacity(18);
    let (first, mut low, mut high) = scaled.next_digit();
    if first == 0 && !high {
        exponent -= 1;
    } else {
        digits.push(first);
    }
    if !(-3..8).contains(&exponent) {
        // Scientific notation has two digits at least.
        low = false;
        high = false;
    }
    while !low && !high {
        let digit;
        (digit, low, high) = scaled.next_digit();
        digits.push(digit);
    }
    let up = high
        && (!low
            || match scaled.rest_to_half() {
                Ordering::Greater => true,
                Ordering::Equal => digits.last().is_some_and(|digit| digit & 1 == 1),
                Ordering::Less => false,
            });
    let mut exponent = exponent + 1;
    if up {
        round_up(&mut digits, &mut exponent);
    }
    Digits { digits, exponent }
}

/// Powers of five and of two.
type Powers = (i64, i64);

/// The value b / s, of which digits are taken, and half a step m / s.
enum Scaled {
    Narrow(Narrow),
    Wide(Wide),
}

impl Scaled {
    /// The next digit; whether stopping at it is near enough from above, and at the next higher one from below.
    fn next_digit(&mut self) -> (u8, bool, bool) {
        match self {
            Scaled::Narrow(narrow) => narrow.next_digit(),
            Scaled::Wide(wide) => wide.next_digit(),
        }
    }

    /// How what is left compares to half a digit.
    fn rest_to_half(&self) -> Ordering {
        match self {
            Scaled::Narrow(narrow) => narrow.wrapped(narrow.b.wrapping_mul(2).wrapping_sub(narrow.ten_s)).cmp(&0),
            Scaled::Wide(wide) => wide.b.plus(&wide.b).cmp(&wide.ten_s),
        }
    }
}

/// In 32 or 64 bits, with the overflows that the original has: a sum beyond the width is negative there.
struct Narrow {
    bits: u32,
    b: i64,
    s: i64,
    m: i64,
    ten_s: i64,
}

impl Narrow {
    fn new<const BITS: u32>(fraction: u64, b: Powers, s: Powers, m: Powers) -> Self {
        let product = |factor: i64, (fives, twos): Powers| {
            let scaled = factor.wrapping_mul(5i64.wrapping_pow(fives as u32)).wrapping_shl(twos as u32);
            Self::wrap(BITS, scaled)
        };
        let s = product(1, s);
        Narrow {
            bits: BITS,
            b: product(fraction as i64, b),
            s,
            m: product(1, m),
            ten_s: Self::wrap(BITS, s.wrapping_mul(10)),
        }
    }

    fn wrap(bits: u32, value: i64) -> i64 {
        if bits == 32 { i64::from(value as i32) } else { value }
    }

    fn wrapped(&self, value: i64) -> i64 {
        Self::wrap(self.bits, value)
    }

    fn next_digit(&mut self) -> (u8, bool, bool) {
        let digit = (self.b / self.s) as u8;
        self.b = self.wrapped((self.b % self.s).wrapping_mul(10));
        self.m = self.wrapped(self.m.wrapping_mul(10));
        match self.m > 0 {
            true => (digit, self.b < self.m, self.wrapped(self.b.wrapping_add(self.m)) > self.ten_s),
            // The half step overflowed, so it is larger than anything.
            false => (digit, true, true),
        }
    }
}

/// In as many bits as it takes.
struct Wide {
    b: Natural,
    s: Natural,
    m: Natural,
    ten_s: Natural,
}

impl Wide {
    fn new(fraction: u64, b: Powers, s: Powers, m: Powers) -> Self {
        let s = Natural::product(1, s);
        let mut ten_s = s.clone();
        ten_s.times(10);
        Wide { b: Natural::product(fraction, b), s, m: Natural::product(1, m), ten_s }
    }

    fn next_digit(&mut self) -> (u8, bool, bool) {
        let digit = self.b.divide_by(&self.s);
        self.b.times(10);
        self.m.times(10);
        (digit, self.b < self.m, self.b.plus(&self.m) >= self.ten_s)
    }
}

fn round_up(digits: &mut [u8], exponent: &mut i64) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    if let Some(first) = digits.first_mut() {
        *first = 1;
    }
    *exponent += 1;
}

/// A natural number of any size, least significant word first, without leading zero words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Natural(Vec<u32>);

impl Natural {
    /// `factor × 5^fives × 2^twos`.
    fn product(factor: u64, (fives, twos): Powers) -> Self {
        let mut number = Natural(vec![factor as u32, (factor >> 32) as u32]);
        number.trim();
        for _ in 0..fives {
            number.times(5);
        }
        let (words, bits) = (twos / 32, twos % 32);
        number.times(1 << bits);
        if !number.0.is_empty() {
            number.0.splice(0..0, std::iter::repeat_n(0, words as usize));
        }
        number
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn times(&mut self, factor: u32) {
        let mut carry = 0u64;
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn plus(&self, other: &Natural) -> Natural {
        let mut sum = Vec::with_capacity(self.0.len().max(other.0.len()) + 1);
        let mut carry = 0u64;
        for at in 0..self.0.len().max(other.0.len()) {
            let word = |n: &Natural| u64::from(n.0.get(at).copied().unwrap_or(0));
            let total = word(self) + word(other) + carry;
            sum.push(total as u32);
            carry = total >> 32;
        }
        if carry > 0 {
            sum.push(carry as u32);
        }
        Natural(sum)
    }

    /// Leaves the remainder and gives the quotient, which is a digit.
    fn divide_by(&mut self, divisor: &Natural) -> u8 {
        let mut quotient = 0;
        while *self >= *divisor {
            let mut borrow = 0i64;
            for (at, word) in self.0.iter_mut().enumerate() {
                let rest = i64::from(*word) - i64::from(divisor.0.get(at).copied().unwrap_or(0)) - borrow;
                *word = rest as u32;
                borrow = i64::from(rest < 0);
            }
            self.trim();
            quotient += 1;
        }
        quotient
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_len = self.0.len().cmp(&other.0.len());
        by_len.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::number::{double_to_spark_string, float_to_spark_string};

    /// Drawn by `java.util.Random(5)` (random bits, fractions, powers of two and ten, integers, subnormals) and printed by
    /// `Double.toString` of OpenJDK 17.0.15; of 400,000 that were all equal, some that JDK 19 and later print otherwise.
    #[test]
    fn doubles_have_the_digits_of_old_jvms() {
        let cases = [
            (2e23, "1.9999999999999998E23"),
            (-7.854399278671995e17, "-7.8543992786719949E17"),
            (5.007022300238758e18, "5.0070223002387579E18"),
            (9.039886895951348e18, "9.0398868959513477E18"),
            (4.611686018427388e18, "4.6116860184273879E18"),
            (-9.035327116894704e18, "-9.0353271168947036E18"),
            (-3.076264823792394e18, "-3.0762648237923942E18"),
            (5.846006549323612e48, "5.8460065493236117E48"),
            (2.722258935367508e39, "2.7222589353675077E39"),
            (1.731115519625348e274, "1.7311155196253479E274"),
            (2.168404344971009e-19, "2.1684043449710089E-19"),
            (4.626864469947544e223, "4.6268644699475435E223"),
            (2.524354896707238e-29, "2.5243548967072378E-29"),
            (4.185580496821357e298, "4.1855804968213567E298"),
            (5e-324, "4.9E-324"),
            (5.954262829429612e138, "5.9542628294296116E138"),
            (1.488565707357403e138, "1.4885657073574029E138"),
            (6.455624695217272e119, "6.4556246952172715E119"),
            (6.490371073168535e32, "6.4903710731685345E32"),
            (5.877471754111438e-39, "5.8774717541114375E-39"),
            (6.490371073168535e32, "6.4903710731685345E32"),
        ];
        for (value, expected) in cases {
            assert_eq!(double_to_spark_string(value), expected);
        }
    }

    /// The same of 100,000 floats, drawn by `java.util.Random(6)`, given by their bits.
    #[test]
    fn floats_have_the_digits_of_old_jvms() {
        let cases = [
            (0xce1cdd10, "-6.5793331E8"),
            (0x4c1c987e, "4.1050616E7"),
            (0x4cb8c7c1, "9.6878088E7"),
            (0x4b50988c, "1.367054E7"),
            (0xea47f11b, "-6.0428707E25"),
            (0x6a04e706, "4.0167296E25"),
            (0xea2c793d, "-5.2126943E25"),
            (0xea4e279e, "-6.230645E25"),
            (0x945bdae8, "-1.1099846E-26"),
            (0x4b3b7a96, "1.2286614E7"),
            (0x3f691c17, "0.91058487"),
            (0x65, "1.42E-43"),
        ];
        for (bits, expected) in cases {
            assert_eq!(float_to_spark_string(f32::from_bits(bits)), expected);
        }
    }
}
