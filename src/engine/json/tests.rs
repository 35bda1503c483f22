use proptest::prelude::*;

use super::*;

fn path(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

fn shape() -> Shape {
    Shape::new(&[path("a"), path("b.c"), path("b.d.e"), path("status")]).unwrap()
}

/// What both ways say; a nested value that was borrowed is spelt as the tree spells it.
fn both(text: &str) -> (Option<Vec<Field<'_>>>, Option<Vec<Field<'_>>>) {
    both_after(&mut shape(), text)
}

/// The same of a shape that read other texts before.
fn both_after<'a>(shape: &mut Shape, text: &'a str) -> (Option<Vec<Field<'a>>>, Option<Vec<Field<'a>>>) {
    let mut fast = vec![Field::Absent; 4];
    let mut slow = vec![Field::Absent; 4];
    let fast = shape.extract(text, &mut fast).ok().map(|()| fast.into_iter().map(respelt).collect());
    let slow = shape.extract_slowly(text, &mut slow).ok().map(|()| slow.into_iter().map(respelt).collect());
    (fast, slow)
}

fn respelt(field: Field<'_>) -> Field<'_> {
    match field {
        Field::Nested(Cow::Borrowed(text)) => owned(&serde_json::from_str(text).unwrap()),
        other => other,
    }
}

fn json() -> impl Strategy<Value = String> {
    let key = prop_oneof!["[a-e]", Just("status".to_owned()), Just("\\u0061".to_owned()), "[a-z\\\\\"é]{0,3}"];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "-?[0-9]{1,25}(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\[nu\"d8a-f0]{1,5}|[ -~é])*\"",
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        let pair = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\" : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|values| format!("[{}]", values.join(" ,"))),
            prop::collection::vec(pair, 0..7).prop_map(|pairs| format!("{{{}}}", pairs.join(", "))),
        ]
    })
}

/// Texts as programs write them: the same keys in much the same order, spelt in few ways, some of them damaged.
fn record() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => (-9_999_999_999_999_i64..9_999_999_999_999).prop_map(|number| number.to_string()),
        4 => "\"[a-z é]{0,40}\"",
        1 => Just("[1,{\"a\":2}]".to_owned()),
        1 => Just("{\"c\":3,\"d\":{\"e\":4}}".to_owned()),
        1 => "[ -~]{0,3}",
    ];
    let key = prop_oneof![
        Just("\"a\":"),
        Just("\"b\":"),
        Just("\"status\": "),
        Just("\"a\" :"),
        Just(" \"a-key-of-twenty-bytes\":"),
        Just("\"a-key-that-is-longer-than-what-is-learnt\":"),
        Just("\"c\":"),
        Just("\"d\":"),
        Just("\"\\u0061\":"),
        Just("\"a\"1"),
    ];
    let pairs = prop::collection::vec((key, value), 1..6);
    (pairs, 0..4_u8).prop_map(|(pairs, nesting)| {
        let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}{value}")).collect();
        let pairs = pairs.join(",");
        match nesting {
            0 => format!("{{\"b\":{{{pairs}}}}}"),
            1 => format!("{{\"b\":{{\"d\":{{{pairs}}},\"c\":1}},{pairs}}}"),
            _ => format!("{{{pairs}}}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_fast_way_says_what_serde_says(text in json()) {
        let (fast, slow) = both(&text);
        prop_assert_eq!(fast, slow, "{}", text);
    }

    #[test]
    fn a_damaged_text_is_judged_alike(text in json(), at in any::<prop::sample::Index>(), byte in "[ -~]") {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        characters[at] = byte.chars().next().unwrap();
        let damaged: String = characters.into_iter().collect();
        let (fast, slow) = both(&damaged);
        prop_assert_eq!(fast, slow, "{}", damaged);
    }

    #[test]
    fn texts_read_before_change_nothing(texts in prop::collection::vec(record(), 1..40)) {
        let mut shape = shape();
        for text in &texts {
            let (fast, slow) = both_after(&mut shape, text);
            prop_assert_eq!(fast, slow, "{} after {:?}", text, texts);
        }
    }

    #[test]
    fn a_cut_text_is_judged_alike(text in json(), at in any::<prop::sample::Index>()) {
        let cut: String = text.chars().take(at.index(text.chars().count())).collect();
        let (fast, slow) = both(&cut);
        prop_assert_eq!(fast, slow, "{}", cut);
    }
}

#[test]
fn the_usual_record_never_reaches_the_slow_way() {
    let text = r#" {"x":"é \" \u00e9","a":12,"b":{"z":[1,{"c":9}],"c":"svc","d":{"e":-1.5}},"status":null} "#;
    let mut fields = vec![Field::Absent; 4];
    let mut shape = shape();
    assert!(scan::document(&shape.nodes, &mut shape.memory, text, &mut fields).is_some());
    assert_eq!(fields, [Field::Integer(12), Field::Text("svc".into()), Field::Float(-1.5), Field::Null]);
}

#[test]
fn odd_texts_are_judged_alike() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let digits = format!("{{\"a\":{}}}", "9".repeat(400));
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"b":{"c":1},"b":{"d":{"e":2}}}"#,
        r#"{"\u0061":5}"#,
        r#"{"x":"\ud800"}"#,
        r#"{"x":"\ud83d\ude00","a":1}"#,
        r#"{"a":-0}"#,
        r#"{"a":01}"#,
        r#"{"a":1e999}"#,
        r#"{"a":9223372036854775808}"#,
        r#"{"a":-9223372036854775808}"#,
        r#"{"a":1}x"#,
        r#"{"a":1,}"#,
        r#"[{"a":1}]"#,
        "",
        "{",
        "\u{feff}{}",
        &deep,
        &digits,
    ] {
        let (fast, slow) = both(text);
        assert_eq!(fast, slow, "{text}");
    }
}

#[test]
fn a_path_through_a_value_is_refused() {
    let clash = Shape::new(&[path("a"), path("a.b")]).unwrap_err();
    assert_eq!(clash.to_string(), "the field a.b cannot be a value and hold another field");
    assert!(Shape::new(&[path("a.b"), path("a")]).is_err());
    assert_eq!(Shape::new(&[path("a"), path("a")]).unwrap().slot(&path("a")), Some(0));
}

#[test]
fn keys_that_never_come_twice_are_forgotten() {
    let mut shape = shape();
    for number in 0..100_000 {
        let text = format!("{{\"key-{number}\":1,\"a\":{number},\"b\":{{\"k{number}\":2,\"c\":{number}}}}}");
        let mut fields = vec![Field::Absent; 4];
        shape.extract(&text, &mut fields).unwrap();
        assert_eq!(fields[..2], [Field::Integer(number), Field::Integer(number)]);
        assert!(shape.memory.heap_bytes() < 32 * 1024, "{}", shape.memory.heap_bytes());
    }
}
