//! Values that are Avro: by schemas of a registry, and by a schema of the job.

use std::collections::BTreeMap;

use ognivo_data::codec::avro::AvroSchema;
use serde_json::{Value, json};

use crate::avro_records::{
    Loans, ask, change, decoded, framed, letters, of_registry, register, scored, with_options, with_values,
};
use crate::broker::{certificate, registry, registry_tls, unique};
use crate::loans::Fate;
use crate::stream::AVAILABLE_NOW;
use crate::topics::{Rig, Stream};

/// How the fate of a letter's record was told.
fn told(letter: &Value) -> (&str, &str) {
    (letter["code"].as_str().unwrap(), letter["message"].as_str().unwrap())
}

/// Runs the stream to its end.
fn run(stream: &Stream<'_>) {
    let place = &stream.rig.loans.place;
    place.run(&["validate", &stream.file]).ok();
    place.run(&["stream", &stream.file, "--quiet"]).ok();
}

#[test]
fn each_record_is_read_by_its_registered_schema_and_rows_are_written_by_one_that_is_registered() {
    let rig = Rig::new(4, 40);
    let stream = rig.stream("avro-registered", 1, ", maxOffsetsPerTrigger: 50", "", AVAILABLE_NOW);
    let (read, write) = of_registry();
    with_values(&stream, &read, &write);

    let subject = format!("{}-value", stream.input.name);
    let term_subject = unique("loans/Term");
    let term = json!({"type": "enum", "name": "Term", "namespace": "loans", "symbols": ["term_60", "term_36"]});
    register(&term_subject.replace('/', "%2F"), &json!({"schema": term.to_string()}));
    let referring = Loans::with_term("loans.Term", vec!["term_60", "term_36"]);
    let references = json!([{"name": "loans.Term", "subject": term_subject, "version": 1}]);
    let of_another_kind = json!({
        "schema": r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#, "schemaType": "JSON",
    });
    let writers = [Loans::new(), Loans::reversed(), referring];
    let numbers = [
        register(&subject, &json!({"schema": writers[0].schema.to_string()})),
        register(&subject, &json!({"schema": writers[1].schema.to_string()})),
        register(
            &unique("referring"),
            &json!({"schema": writers[2].schema.to_string(), "schemaType": "AVRO", "references": references}),
        ),
    ];
    let no_avro = register(&unique("object"), &of_another_kind);
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2], "{numbers:?}");

    let by_writer =
        |(idx, (_, record)): (usize, &(i64, String))| framed(numbers[idx % 3], &writers[idx % 3].datum(record));
    let mut records: Vec<Vec<u8>> = rig.records.iter().enumerate().map(by_writer).collect();
    let good = writers[0].datum(&rig.records[0].1);
    let with = |number: u32, datum: &[u8]| framed(number, datum);
    let broken = [
        [&[1][..], &with(numbers[0], &good)[1..]].concat(),
        with(2_000_000_000, &good),
        with(no_avro, &good),
        with(numbers[0], &good[..good.len() - 1]),
        with(numbers[0], &[&good[..], b"!"].concat()),
        b"\0\0".to_vec(),
    ];
    records.extend(broken);
    stream.input.add(0, &records);
    stream.input.add_whole(None, None, &[]);

    let looked = rig.loans.place.run(&["doctor", &stream.file]).ok();
    let said = |looked: &str, text: &str| {
        assert_eq!(looked.lines().filter(|line| line.contains(text)).count(), 1, "{text}: {looked}")
    };
    said(
        &looked,
        &format!("subject {}-value: new: the stream will register the schema of the rows", stream.output.name),
    );
    assert_eq!(
        looked.matches(&format!("ok    schema registry {}: answers", registry())).count(),
        2,
        "of both ends: {looked}"
    );
    run(&stream);

    let (scores, schemas) = scored(&stream.output);
    assert_eq!(scores, rig.scores);
    let (number, schema) = schemas.iter().next().unwrap();
    assert_eq!(schemas.len(), 1);
    let (_, newest) = ask("GET", &format!("/subjects/{}-value/versions/latest", stream.output.name), &Value::Null);
    assert_eq!(newest["id"], *number);
    assert!(schema.json().contains("topLevelRecord"), "as Spark calls it: {}", schema.json());
    let looked = rig.loans.place.run(&["doctor", &stream.file]).ok();
    said(&looked, &format!("the schema of the rows is number {number}"));

    let mut letters = letters(&stream);
    let mut expected: Vec<(i64, String, String)> = Vec::new();
    let n = rig.records.len() as i64;
    for (offset, (id, _)) in rig.records.iter().enumerate() {
        let letter = letters.remove(&(offset as i64));
        match rig.loans.fates[id] {
            Fate::Scored => assert_eq!(letter, None, "{id}"),
            Fate::Malformed => assert_eq!(told(&letter.unwrap()), ("malformed_record", "no Avro datum of the schema")),
            // A term that the enum does not have breaks its datum off.
            Fate::Unseen if offset % 3 == 2 => assert_eq!(told(&letter.unwrap()).0, "malformed_record"),
            Fate::Unseen => assert!(letter.unwrap()["stage"].is_string(), "{id}"),
        }
    }
    let tombstone = letters.remove(&(n + 6)).unwrap();
    assert!(tombstone["stage"].is_string() && tombstone["payload"].is_null(), "{tombstone}");
    for (offset, letter) in &letters {
        let (code, message) = told(letter);
        expected.push((offset - n, code.to_owned(), message.to_owned()));
    }
    let due = [
        "no number of an Avro schema before it".to_owned(),
        "Avro schema 2000000000: the schema registry does not know it".to_owned(),
        format!("Avro schema {no_avro}: it is no schema of Avro: JSON"),
        "no Avro datum of the schema".to_owned(),
        "bytes are left behind the Avro datum of the schema: 1".to_owned(),
        "no number of an Avro schema before it".to_owned(),
    ];
    let due: Vec<_> = (0..).zip(due).map(|(idx, message)| (idx, "malformed_record".to_owned(), message)).collect();
    assert_eq!(expected, due);
}

#[test]
fn plain_datums_go_by_the_schema_of_the_job_and_rows_that_it_has_no_place_for_are_dead_letters() {
    let rig = Rig::new(3, 40);
    let stream = rig.stream("avro-plain", 1, "", "", AVAILABLE_NOW);
    let loans = Loans::new();
    rig.loans.place.write("loan.avsc", &format!("{}\n", loans.schema));
    let symbols = json!({"type": "enum", "name": "Term", "symbols": ["term_36"]});
    let out = json!({"type": "record", "name": "Scored", "fields": [
        {"name": "prediction", "type": "double"}, {"name": "term", "type": symbols}, {"name": "id", "type": ["null", "long"]},
        {"name": "later", "type": ["string", "null"]},
    ]});
    rig.loans.place.write("scored.avsc", &out.to_string());
    let value = |file: &str| format!("{{format: avro, options: {{avroSchema: \"${{file:{file}}}\"}}}}");
    with_values(&stream, &value("loan.avsc"), &value("scored.avsc"));
    change(&stream, "select: [id, rawPrediction, probability, prediction]", "select: [id, term, prediction]");
    let mut records: Vec<Vec<u8>> = rig.records.iter().map(|(_, record)| loans.datum(record)).collect();
    // What is framed is not plain.
    records.push(framed(1, &loans.datum(&rig.records[0].1)));
    stream.input.add(0, &records);
    run(&stream);

    let schema = AvroSchema::parse(&out.to_string()).unwrap();
    let mut rows = BTreeMap::new();
    for datum in stream.output.values() {
        let row = decoded(&schema, &datum.unwrap());
        assert_eq!((row["term"].as_str(), &row["later"]), (Some("term_36"), &Value::Null), "{row}");
        let before = rows.insert(row["id"].as_i64().unwrap(), row["prediction"].as_f64().unwrap().to_bits());
        assert_eq!(before, None, "twice: {row}");
    }
    let mut letters = letters(&stream);
    let bad: Vec<usize> = letters.keys().map(|offset| *offset as usize).collect();
    let framed = letters.remove(&(rig.records.len() as i64)).unwrap();
    assert_eq!(told(&framed).0, "malformed_record");
    let mut n_refused = 0;
    for (offset, (id, record)) in rig.records.iter().enumerate() {
        let letter = letters.remove(&(offset as i64));
        let is_short = record.contains("term_36");
        match rig.loans.fates[id] {
            Fate::Scored if is_short => {
                assert_eq!((letter, rows.remove(id)), (None, rig.scores[id].last().copied()), "{id}");
            }
            Fate::Scored => {
                let letter = letter.unwrap();
                let message = "column `term` has a value that Avro's enum cannot hold: term_60";
                assert_eq!((told(&letter), letter["column"].as_str()), (("refused_by_target", message), Some("term")));
                n_refused += 1;
            }
            Fate::Malformed => assert_eq!(told(&letter.unwrap()).0, "malformed_record"),
            Fate::Unseen => assert!(letter.unwrap()["stage"].is_string(), "{id}"),
        }
    }
    assert!(n_refused > 0 && rows.is_empty() && letters.is_empty(), "{n_refused} {rows:?} {letters:?}");

    rig.loans.place.run(&["dlq", "replay", &stream.file]).ok();
    let sent_back = bad.iter().map(|offset| records[*offset].clone());
    let mut expected: Vec<_> = records.iter().cloned().chain(sent_back).map(Some).collect();
    let mut found = stream.input.values();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "letters go back to the byte");
}

#[test]
fn a_registry_is_asked_over_tls_if_its_authority_is_trusted() {
    let rig = Rig::new(1, 20);
    let stream = rig.stream("avro-tls", 1, "", "", AVAILABLE_NOW);
    let url = format!("schema.registry.url: \"{}\"", registry_tls());
    let trusting = format!(", ssl.ca.location: {}", certificate("ca.pem"));
    let (read, write) = with_options(&format!("{url}{trusting}"));
    with_values(&stream, &read, &write);
    let loans = Loans::new();
    let number = register(&unique("in"), &json!({"schema": loans.schema.to_string()}));
    stream.input.add(0, rig.records.iter().map(|(_, record)| framed(number, &loans.datum(record))));
    rig.loans.place.run(&["doctor", &stream.file]).ok();
    run(&stream);
    assert_eq!(scored(&stream.output).0, rig.scores);

    let job = std::fs::read_to_string(rig.loans.place.at(&stream.file)).unwrap();
    rig.loans.place.write(&stream.file, &job.replace(&trusting, ""));
    for (verb, code) in [("doctor", 1), ("stream", 2)] {
        let ran = rig.loans.place.run(&[verb, &stream.file, "--quiet"]);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        let text = format!("cannot ask the schema registry {} over TLS: ", registry_tls());
        let hint = "hint: is `ssl.ca.location` the authority of the registry, and its host in the certificate?";
        assert_eq!(ran.code, Some(code), "{all}");
        assert!(all.contains(&text) && all.contains("certificate verify failed") && all.contains(hint), "{all}");
    }
}

#[test]
fn a_schema_that_the_registry_refuses_or_does_not_have_ends_the_job_before_its_first_row() {
    let rig = Rig::new(1, 20);
    let stream = rig.stream("avro-refused", 1, "", "", AVAILABLE_NOW);
    let (read, write) = of_registry();
    with_values(&stream, &read, &write);
    let subject = format!("{}-value", stream.output.name);
    let other = json!({"type": "record", "name": "topLevelRecord", "fields": [{"name": "id", "type": "string"}]});
    register(&subject, &json!({"schema": other.to_string()}));
    let (status, said) = ask("PUT", &format!("/config/{subject}"), &json!({"compatibility": "FULL"}));
    assert_eq!(status, 200, "{said}");
    let loans = Loans::new();
    let number = register(&unique("in"), &json!({"schema": loans.schema.to_string()}));
    stream.input.add(0, rig.records.iter().map(|(_, record)| framed(number, &loans.datum(record))));

    let check = |verb: &str, code: i32, text: &str, hint: &str| {
        let ran = rig.loans.place.run(&[verb, &stream.file, "--quiet"]);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(code), "{all}");
        assert!(all.contains(text) && all.contains(hint), "{all}");
    };
    let refused = format!("schema registry refuses the schema of subject {subject}: ");
    let hint = "select columns that the subject's compatibility allows, or write to a topic of its own";
    check("doctor", 1, &refused, hint);
    check("stream", 2, &refused, hint);

    change(&stream, &write, &write.replace("options: {", "options: {auto.register.schemas: false, "));
    let missing = format!("schema registry does not have the schema of the rows under the subject: {subject}");
    let hint = "register it first, or leave `auto.register.schemas` out";
    check("doctor", 1, &missing, hint);
    check("stream", 2, &missing, hint);
    assert_eq!(stream.output.values(), Vec::<Option<Vec<u8>>>::new());
}
