//! JSON records into structs that borrow their text, by sonic-rs.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use ognivo_peers::{measure_json, schema};
use serde::Deserialize;

#[derive(Deserialize)]
struct Loan<'a> {
    credit_policy: i32,
    purpose: &'a str,
    int_rate: f64,
    installment: f64,
    log_annual_inc: f64,
    dti: f64,
    fico: i32,
    days_with_cr_line: f64,
    revol_bal: i32,
    revol_util: f64,
    inq_last_6mths: i32,
    delinq_2yrs: i32,
    pub_rec: i32,
    not_fully_paid: i32,
}

fn loan<'a>(bytes: &'a [u8], at: &Range<usize>) -> Loan<'a> {
    sonic_rs::from_slice(&bytes[at.clone()]).expect("the records are well-formed")
}

fn main() {
    measure_json(
        |bytes, records| records.iter().for_each(|at| drop(black_box(loan(bytes, at)))),
        // Parsed once more outside the measured time, only to compare the values.
        |(), bytes, records| to_batches(&records.iter().map(|at| loan(bytes, at)).collect::<Vec<_>>()),
    );
}

fn to_batches(loans: &[Loan<'_>]) -> Vec<RecordBatch> {
    let double = |of: fn(&Loan<'_>) -> f64| Arc::new(Float64Array::from_iter_values(loans.iter().map(of))) as ArrayRef;
    let int = |of: fn(&Loan<'_>) -> i32| Arc::new(Int32Array::from_iter_values(loans.iter().map(of))) as ArrayRef;
    let columns = vec![
        int(|loan| loan.credit_policy),
        Arc::new(StringArray::from_iter_values(loans.iter().map(|loan| loan.purpose))),
        double(|loan| loan.int_rate),
        double(|loan| loan.installment),
        double(|loan| loan.log_annual_inc),
        double(|loan| loan.dti),
        int(|loan| loan.fico),
        double(|loan| loan.days_with_cr_line),
        int(|loan| loan.revol_bal),
        double(|loan| loan.revol_util),
        int(|loan| loan.inq_last_6mths),
        int(|loan| loan.delinq_2yrs),
        int(|loan| loan.pub_rec),
        int(|loan| loan.not_fully_paid),
    ];
    vec![RecordBatch::try_new(schema(), columns).expect("every column has a value for each loan")]
}
