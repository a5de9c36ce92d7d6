//! Every type that a row can bring comes back as it went, bit for bit.

use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use ognivo_data::vector::{Vector, VectorBuilder};
use scylla::value::{CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint};

use crate::place::{Place, plan, timestamp_us, write};
use crate::run;

/// Writes one column `v` beside a key, and reads it back.
async fn round_trip(place: &Place, cql: &str, column: ArrayRef) -> Vec<Option<CqlValue>> {
    place.cql("DROP TABLE IF EXISTS KS.t").await;
    place.cql(&format!("CREATE TABLE KS.t (k int PRIMARY KEY, v {cql})")).await;
    let (written, refused) = write(&mut place.sink("t", &[], &[]), &plan(0), &keyed(column)).await.unwrap();
    assert_eq!((written.n_scored, refused.len()), (count(place).await, 0), "{cql}");
    let mut rows = place.rows("SELECT k, v FROM KS.t").await;
    rows.sort_by_key(|row| row[0].as_ref().and_then(CqlValue::as_int));
    rows.into_iter().map(|mut row| row.remove(1)).collect()
}

fn keyed(column: ArrayRef) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values(0..column.len() as i32));
    let fields =
        vec![Field::new("k", keys.data_type().clone(), false), Field::new("v", column.data_type().clone(), true)];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![keys, column]).unwrap()
}

async fn count(place: &Place) -> usize {
    place.rows("SELECT k FROM KS.t").await.len()
}

async fn check(place: &Place, cql: &str, column: impl Array + 'static, expect: &[CqlValue]) {
    let back = round_trip(place, cql, Arc::new(column)).await;
    let expect: Vec<_> = expect.iter().cloned().map(Some).collect();
    assert_eq!(format!("{back:?}"), format!("{expect:?}"), "{cql}");
}

#[test]
fn scalars_come_back_as_they_went() {
    run(async {
        let place = Place::new("types_scalars", 1).await;
        let place = &place;
        check(
            place,
            "boolean",
            BooleanArray::from(vec![true, false]),
            &[CqlValue::Boolean(true), CqlValue::Boolean(false)],
        )
        .await;
        check(
            place,
            "tinyint",
            Int8Array::from(vec![i8::MIN, i8::MAX]),
            &[CqlValue::TinyInt(i8::MIN), CqlValue::TinyInt(i8::MAX)],
        )
        .await;
        check(
            place,
            "smallint",
            Int16Array::from(vec![i16::MIN, 7]),
            &[CqlValue::SmallInt(i16::MIN), CqlValue::SmallInt(7)],
        )
        .await;
        check(
            place,
            "int",
            Int32Array::from(vec![i32::MIN, i32::MAX]),
            &[CqlValue::Int(i32::MIN), CqlValue::Int(i32::MAX)],
        )
        .await;
        check(place, "int", Int8Array::from(vec![-1]), &[CqlValue::Int(-1)]).await;
        check(
            place,
            "bigint",
            Int64Array::from(vec![i64::MIN, i64::MAX]),
            &[CqlValue::BigInt(i64::MIN), CqlValue::BigInt(i64::MAX)],
        )
        .await;
        check(place, "bigint", Int32Array::from(vec![-5]), &[CqlValue::BigInt(-5)]).await;
        let varint = |bytes: &[u8]| CqlValue::Varint(CqlVarint::from_signed_bytes_be_slice(bytes));
        check(
            place,
            "varint",
            Int64Array::from(vec![0, 128, -129]),
            &[varint(&[0]), varint(&[0, 128]), varint(&[0xff, 0x7f])],
        )
        .await;
        let decimals = Decimal128Array::from(vec![-12_345, 0, i128::MAX / 10]).with_precision_and_scale(38, 3).unwrap();
        let decimal =
            |unscaled: &[u8]| CqlValue::Decimal(CqlDecimal::from_signed_be_bytes_slice_and_exponent(unscaled, 3));
        check(
            place,
            "decimal",
            decimals,
            &[decimal(&[0xcf, 0xc7]), decimal(&[0]), decimal(&(i128::MAX / 10).to_be_bytes())],
        )
        .await;
        check(
            place,
            "text",
            StringArray::from(vec!["", "é\u{10348}"]),
            &[CqlValue::Text(String::new()), CqlValue::Text("é\u{10348}".to_owned())],
        )
        .await;
        check(place, "ascii", StringArray::from(vec!["a b"]), &[CqlValue::Ascii("a b".to_owned())]).await;
        check(
            place,
            "blob",
            BinaryArray::from(vec![&[0u8, 255][..], &[]]),
            &[CqlValue::Blob(vec![0, 255]), CqlValue::Blob(Vec::new())],
        )
        .await;
        check(
            place,
            "date",
            Date32Array::from(vec![0, -719_162]),
            &[CqlValue::Date(CqlDate(1 << 31)), CqlValue::Date(CqlDate((1 << 31) - 719_162))],
        )
        .await;
        let timestamps = TimestampMicrosecondArray::from(vec![1_795_353_850_713_000, -1]).with_timezone("UTC");
        check(
            place,
            "timestamp",
            timestamps,
            &[CqlValue::Timestamp(CqlTimestamp(1_795_353_850_713)), CqlValue::Timestamp(CqlTimestamp(-1))],
        )
        .await;
        check(
            place,
            "time",
            StringArray::from(vec!["13:30:54.000000001"]),
            &[CqlValue::Time(CqlTime(48_654_000_000_001))],
        )
        .await;
        check(
            place,
            "time",
            Int64Array::from(vec![86_399_999_999_999]),
            &[CqlValue::Time(CqlTime(86_399_999_999_999))],
        )
        .await;
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        let back = round_trip(place, "uuid", Arc::new(StringArray::from(vec![uuid]))).await;
        assert_eq!(back[0].as_ref().and_then(CqlValue::as_uuid).unwrap().to_string(), uuid);
        let timeuuid = "d2177dd0-eaa2-11de-a572-001b779c76e3";
        let expect: CqlTimeuuid = timeuuid.parse().unwrap();
        check(place, "timeuuid", StringArray::from(vec![timeuuid]), &[CqlValue::Timeuuid(expect)]).await;
        let addresses = ["10.0.0.1", "2001:db8::1"];
        let expect = addresses.map(|address| CqlValue::Inet(address.parse::<IpAddr>().unwrap()));
        check(place, "inet", StringArray::from(addresses.to_vec()), &expect).await;
        let texts = vec!["0ns", "-1y2mo3w4d5h6m7s8ms9us10ns", "63ns", "64ns", "8192ns", "2562047h", "178956970y"];
        let duration = |months, days, nanoseconds| CqlValue::Duration(CqlDuration { months, days, nanoseconds });
        let expect = [
            duration(0, 0, 0),
            duration(-14, -25, -18_367_008_009_010),
            duration(0, 0, 63),
            duration(0, 0, 64),
            duration(0, 0, 8192),
            duration(0, 0, 2_562_047 * 3_600_000_000_000),
            duration(178_956_970 * 12, 0, 0),
        ];
        check(place, "duration", StringArray::from(texts), &expect).await;
    });
}

#[test]
fn floating_point_numbers_keep_every_bit() {
    run(async {
        let place = Place::new("types_floats", 1).await;
        let doubles = [0.1, -0.0, f64::MIN_POSITIVE / 3.0, f64::INFINITY, f64::from_bits(0x7ff8_dead_beef_0001)];
        let back = round_trip(&place, "double", Arc::new(Float64Array::from(doubles.to_vec()))).await;
        let bits: Vec<u64> =
            back.iter().map(|value| value.as_ref().and_then(CqlValue::as_double).unwrap().to_bits()).collect();
        assert_eq!(bits, doubles.map(f64::to_bits));
        let floats = [0.1f32, -0.0, f32::MIN_POSITIVE / 3.0, f32::NEG_INFINITY];
        let back = round_trip(&place, "float", Arc::new(Float32Array::from(floats.to_vec()))).await;
        let bits: Vec<u32> =
            back.iter().map(|value| value.as_ref().and_then(CqlValue::as_float).unwrap().to_bits()).collect();
        assert_eq!(bits, floats.map(f32::to_bits));
    });
}

fn vectors_to_array(vectors: &[Vector]) -> ArrayRef {
    let mut column = VectorBuilder::new();
    vectors.iter().for_each(|vector| column.push(vector.as_ref()));
    column.finish()
}

fn numbers(value: &Option<CqlValue>) -> Vec<u64> {
    let elements = match value {
        Some(CqlValue::List(elements) | CqlValue::Vector(elements)) => elements,
        other => panic!("not a list: {other:?}"),
    };
    elements
        .iter()
        .map(|element| element.as_double().or_else(|| element.as_float().map(f64::from)).unwrap().to_bits())
        .collect()
}

#[test]
fn vectors_dense_and_sparse_become_lists_and_vectors() {
    run(async {
        let place = Place::new("types_vectors", 1).await;
        let dense = Vector::Dense(vec![0.1, -0.0, 1e300]);
        let sparse = Vector::Sparse { size: 3, indices: vec![1], values: vec![0.25] };
        let vectors = vectors_to_array(&[dense, sparse]);
        let expect = [[0.1, -0.0, 1e300].map(f64::to_bits), [0.0, 0.25, 0.0].map(f64::to_bits)];
        for cql in ["list<double>", "frozen<list<double>>", "vector<double, 3>"] {
            let back = round_trip(&place, cql, vectors.clone()).await;
            assert_eq!(back.iter().map(numbers).collect::<Vec<_>>(), expect, "{cql}");
        }
        let small = vectors_to_array(&[Vector::Dense(vec![0.1, 0.5, f64::NEG_INFINITY])]);
        let expect = [f64::from(0.1f32), 0.5, f64::NEG_INFINITY].map(f64::to_bits);
        for cql in ["vector<float, 3>", "frozen<list<float>>"] {
            assert_eq!(numbers(&round_trip(&place, cql, small.clone()).await[0]), expect, "{cql}");
        }
        let mut lists = ListBuilder::new(Float64Builder::new());
        lists.append_value([Some(0.1), Some(2.0)]);
        let lists: ArrayRef = Arc::new(lists.finish());
        for cql in ["list<double>", "frozen<list<double>>", "vector<double, 2>"] {
            assert_eq!(
                numbers(&round_trip(&place, cql, lists.clone()).await[0]),
                [0.1, 2.0].map(f64::to_bits),
                "{cql}"
            );
        }
    });
}

#[test]
fn a_null_leaves_its_cell_as_it_is_and_makes_no_tombstone() {
    run(async {
        let place = Place::new("types_null", 1).await;
        place.cql("CREATE TABLE KS.t (k int PRIMARY KEY, v double)").await;
        place.cql("INSERT INTO KS.t (k, v) VALUES (0, 7.0) USING TIMESTAMP 1").await;
        let column: ArrayRef = Arc::new(Float64Array::from(vec![None, None]));
        write(&mut place.sink("t", &[], &[]), &plan(3), &keyed(column)).await.unwrap();
        let mut rows = place.rows("SELECT k, v, writetime(v) FROM KS.t").await;
        rows.sort_by_key(|row| row[0].as_ref().and_then(CqlValue::as_int));
        assert_eq!(
            format!("{rows:?}"),
            "[[Some(Int(0)), Some(Double(7.0)), Some(BigInt(1))], [Some(Int(1)), None, None]]"
        );
    });
}

#[test]
fn a_batch_that_comes_again_changes_nothing_and_an_older_one_loses() {
    run(async {
        let place = Place::new("types_again", 1).await;
        place.cql("CREATE TABLE KS.t (k int PRIMARY KEY, v double)").await;
        let rows = |value: f64| keyed(Arc::new(Float64Array::from(vec![value])) as ArrayRef);
        for (batch, value) in [(1, 1.0), (2, 2.0), (2, 2.0), (1, 1.0)] {
            write(&mut place.sink("t", &[("output.ttl", "86400")], &[]), &plan(batch), &rows(value)).await.unwrap();
        }
        let found = place.rows("SELECT v, writetime(v) FROM KS.t").await;
        assert_eq!(found, [[Some(CqlValue::Double(2.0)), Some(CqlValue::BigInt(timestamp_us(2)))]]);
        let left = place.rows("SELECT ttl(v) FROM KS.t").await;
        assert!(matches!(left[0][0], Some(CqlValue::Int(86_000..=86_400))), "{left:?}");
    });
}

/// The same timestamp would show the elements of both writes: that is what Cassandra does, and why such rows get their own.
#[test]
fn a_list_that_is_not_frozen_is_not_doubled_by_a_replay() {
    run(async {
        let place = Place::new("types_unfrozen", 1).await;
        place.cql("CREATE TABLE KS.t (k int PRIMARY KEY, v list<double>)").await;
        for _ in 0..2 {
            place.cql("INSERT INTO KS.t (k, v) VALUES (9, [1.0]) USING TIMESTAMP 1000").await;
        }
        let doubled = place.rows("SELECT v FROM KS.t WHERE k = 9").await;
        assert_eq!(numbers(&doubled[0][0]), [1.0, 1.0].map(f64::to_bits), "the trap is there");
        let rows = keyed(vectors_to_array(&[Vector::Dense(vec![1.0, 2.0])]));
        for _ in 0..3 {
            write(&mut place.sink("t", &[], &[]), &plan(0), &rows).await.unwrap();
            let found = place.rows("SELECT v FROM KS.t WHERE k = 0").await;
            assert_eq!(numbers(&found[0][0]), [1.0, 2.0].map(f64::to_bits));
        }
    });
}

#[test]
fn a_table_that_we_make_takes_the_rows_that_it_was_made_for() {
    run(async {
        let place = Place::new("types_create", 1).await;
        let vectors = vectors_to_array(&[Vector::Dense(vec![1.0])]);
        let rows = keyed(vectors);
        let config = place.config("t", &[("partitionKey", "k")], &[]);
        place.cql(&ognivo_cassandra::create_table(&config, &rows.schema()).unwrap()).await;
        let (written, _) = write(&mut place.sink("t", &[], &[]), &plan(0), &rows).await.unwrap();
        assert_eq!(written.n_scored, 1);
    });
}
