//! Generated rows in the shape of the loan data: the same bytes on every machine.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::cache;

/// The size of the loan data that the job was made for.
pub(super) const N_ROWS: usize = 9_578;
/// A hundred megabytes.
pub(super) const N_ROWS_LARGE: usize = 1_300_000;

/// Spark DDL of the columns.
pub(super) const DDL: &str = "credit_policy INT, purpose STRING, int_rate DOUBLE, installment DOUBLE, log_annual_inc DOUBLE, \
    dti DOUBLE, fico INT, days_with_cr_line DOUBLE, revol_bal INT, revol_util DOUBLE, inq_last_6mths INT, delinq_2yrs INT, \
    pub_rec INT, not_fully_paid INT";

const HEADER: &str = "credit_policy,purpose,int_rate,installment,log_annual_inc,dti,fico,days_with_cr_line,revol_bal,revol_util,\
    inq_last_6mths,delinq_2yrs,pub_rec,not_fully_paid";

const PURPOSES: [&str; 7] = [
    "debt_consolidation",
    "all_other",
    "credit_card",
    "home_improvement",
    "small_business",
    "major_purchase",
    "educational",
];

/// Part of the files' names: a file that another generator wrote is not taken for one of this.
const GENERATOR: u32 = 2;

/// A file of `n_rows` rows in the cache folder, written if it is not there.
///
/// # Errors
/// When it cannot be written.
pub(super) fn file(n_rows: usize) -> Result<PathBuf, String> {
    let path = cache::folder("bench")?.join(format!("loans-{GENERATOR}-{n_rows}.csv"));
    if !path.exists() {
        println!("== writing {}", path.display());
        let whole = path.with_extension("part");
        write(&whole, n_rows)
            .and_then(|()| std::fs::rename(&whole, &path))
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(path)
}

/// A copy of a file whose lines end in CR, beside it.
///
/// # Errors
/// When it cannot be written.
pub(super) fn with_cr(file: &Path) -> Result<PathBuf, String> {
    let path = file.with_extension("cr.csv");
    if !path.exists() {
        let mut bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'\r');
        let whole = path.with_extension("part");
        std::fs::write(&whole, bytes)
            .and_then(|()| std::fs::rename(&whole, &path))
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(path)
}

fn write(path: &Path, n_rows: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    writeln!(out, "{HEADER}")?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut line = String::new();
    for _ in 0..n_rows {
        line.clear();
        row(&mut line, &mut random);
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

fn row(line: &mut String, random: &mut Random) {
    let purpose = 6 - (1 + random.below(100)).ilog2() as usize;
    let rate = 600 + random.below(1564);
    let fico = 612 + random.below(215);
    let credit_policy = u64::from(fico > 650 || random.below(10) > 6);
    let dti = random.below(30);
    // Of 10,000 such loans so many are bad: enough of a rule that an optimiser has to walk some way.
    let n_bad = 100 + (rate - 600) * 4 + dti * 60 + purpose as u64 * 400 + (1 - credit_policy) * 2_000;
    let is_bad = random.below(10_000) < n_bad;
    let purpose = PURPOSES[purpose];
    let _infallible = writeln!(
        line,
        "{credit_policy},{purpose},0.{rate:04},{}.{:02},{}.{:08},{}.{:02},{fico},{}.{:06},{},{}.{},{},{},{},{}",
        15 + random.below(926),
        random.below(100),
        7 + random.below(8),
        random.below(100_000_000),
        dti,
        random.below(100),
        178 + random.below(17_500),
        random.below(1_000_000),
        random.below(random.clone().below(150_000) + 1),
        random.below(120),
        random.below(10),
        random.below(9),
        u64::from(random.below(9) == 0),
        u64::from(random.below(16) == 0),
        u64::from(is_bad),
    );
}

/// xorshift64*, good enough for data that only have to look like data.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}
