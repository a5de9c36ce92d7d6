//! How sure the coefficients of a linear regression are, as `train` tells it.

use crate::binary::Workplace;

/// `cars` of R 4.2: speed in mph and the distance to stop in ft, of 50 cars in the 1920s.
const SPEED: [u32; 50] = [
    4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 16, 16, 17, 17,
    17, 18, 18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25,
];
const DIST: [u32; 50] = [
    2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26, 54, 32, 40, 32,
    40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85,
];

const JOB: &str = "version: 1\ntrain:\n  read: {format: csv, path: cars.csv, schema: \"speed DOUBLE, dist DOUBLE\", \
                   options: {header: true}}\n  pipeline:\n    - VectorAssembler: {inputCols: [speed], outputCol: \
                   features}\n    - LinearRegression: {labelCol: dist}\n";

fn place() -> Workplace {
    let place = Workplace::new();
    let rows = SPEED.iter().zip(DIST).map(|(speed, dist)| format!("{speed},{dist}\n"));
    place.write("cars.csv", &format!("speed,dist\n{}", rows.collect::<String>()));
    place.write("job.yaml", JOB);
    place
}

#[test]
fn errors_t_and_p_values_are_those_of_r() {
    let trained = place().run(&["train", "job.yaml", "--output", "json"]).json();
    let model = &trained["stages"][1];
    // summary(lm(dist ~ speed, cars)); Spark's order has the intercept last.
    for (name, expect) in
        [("coefficientStandardErrors", [0.4155, 6.7584]), ("tValues", [9.464, -2.601]), ("pValues", [1.49e-12, 0.0123])]
    {
        for (slot, expect) in expect.into_iter().enumerate() {
            let found = model[name][slot].as_f64().unwrap();
            assert!((found / expect - 1.0).abs() < 5e-3, "{name} {slot}: {found} is not {expect}");
        }
    }
}

#[test]
fn the_screen_has_them_in_a_table_with_the_features_names() {
    let told = place().run(&["train", "job.yaml", "--seed-uids", "1"]).ok();
    let (_, table) = told.split_once("coefficients of LinearRegression_").expect("a table of coefficients");
    let lines: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "  feature      coefficient  standard error  t-value  p-value",
            "  (intercept)  -17.579      6.7584          -2.6011  0.012319",
            "  speed        3.9324       0.41551         9.464    1.4898e-12",
        ]
    );
}

#[test]
fn what_is_not_known_is_not_told() {
    let place = place();
    let set = "train.pipeline.LinearRegression.solver=l-bfgs";
    let trained = place.run(&["train", "job.yaml", "--output", "json", "--set", set]).json();
    assert!(trained["stages"][1]["coefficients"].is_array());
    assert!(trained["stages"][1].get("pValues").is_none());
    assert!(!place.run(&["train", "job.yaml", "--set", set]).ok().contains("standard error"));
}
