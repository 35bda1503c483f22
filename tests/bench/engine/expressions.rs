//! What an expression costs: to compile, to evaluate, and to remember.

use std::borrow::Cow;
use std::hint::black_box;

use flowdeck::engine::Spec;
use flowdeck::engine::expression::{HealthExpression, Inputs, SwimlaneExpression, Value};
use flowdeck::engine::overrides::Lanes;

use super::{ROUNDS, report, rounds};

/// The health expression of the talk.
const HEALTH: &str = "requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3";
/// So often each is done in a round: the clock of a thread is coarse.
const TIMES: usize = 500_000;
/// Hosts of a long list.
const MANY: usize = 150;

pub fn measure() {
    let names = ["svcHost".into()];
    let hosts = |count: usize| (0..count).map(|host| format!("'ip-10-1-0-{host}'")).collect::<Vec<_>>().join(", ");
    let swimlane = |count: usize| format!("svcHost in [{}] ? \"ec2\" : \"\"", hosts(count));
    each("compile the health expression of the talk", TIMES / 25, || {
        black_box(HealthExpression::compile(black_box(HEALTH))).unwrap();
    });
    let long = swimlane(MANY);
    each(&format!("compile a swimlane of {MANY} hosts"), TIMES / 250, || {
        black_box(SwimlaneExpression::compile(black_box(&long), &names)).unwrap();
    });
    let health = HealthExpression::compile(HEALTH).unwrap();
    let (inputs, tags) = (Inputs::samples().pop().unwrap(), Value::tags([]));
    each("evaluate the health expression of the talk", TIMES, || {
        black_box(health.judge(black_box(&inputs), &tags)).unwrap();
    });
    for count in [1, MANY] {
        let source = swimlane(count);
        let expression = SwimlaneExpression::compile(&source, &names).unwrap();
        // The last of the hosts: all of the list is looked at.
        let host = format!("ip-10-1-0-{}", count - 1);
        each(&format!("evaluate a swimlane, the last of {count} in its list"), TIMES, || {
            assert_eq!(&*expression.lane("a", &tags, &[black_box(&host)]).unwrap(), "ec2");
        });
        let example = include_str!("../../../config/examples/golden-signals.toml");
        let dimension = "[[dimensions]]\nname = \"svcHost\"\nfield = \"host\"\n";
        let spec = format!("{example}\n[expressions]\nswimlane = {}\n{dimension}", serde_json::json!(source));
        let mut lanes = Lanes::new(&Spec::parse(&spec).unwrap()).unwrap();
        let host = Cow::Borrowed(host.as_str());
        each(&format!("the same remembered, {count} in its list"), TIMES, || {
            assert_eq!(&*lanes.lane(0, "a", black_box(std::slice::from_ref(&host))).unwrap(), "ec2");
        });
    }
}

fn each(name: &str, times: usize, mut what: impl FnMut()) {
    let spent = rounds(|| (0..times).for_each(|_| what()));
    let nanoseconds = spent[ROUNDS / 2].processor.as_secs_f64() * 1e9 / times as f64;
    report(&format!("{name}, processor time, median of 9"), nanoseconds, "ns", None);
}
