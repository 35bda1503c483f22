use serde_json::json;

use super::*;

const BOTH: Sweep = Sweep { topics: true, groups: true };

fn object(pipeline: &str, (inputs, outputs): (&str, &str), group: &str) -> Value {
    json!({"kind": "FlinkDeployment", "metadata": {"name": pipeline, "namespace": "team",
        "annotations": {"flowdeck.dev/inputs": inputs, "flowdeck.dev/outputs": outputs, "flowdeck.dev/group": group}}})
}

fn own() -> Own {
    let now = uses([&object("clicks", ("clickstream, sessions", "sessions,counts,shared,routed,audit"), "clicks.v2")]);
    Own::of(&now, &uses([&object("clicks", ("", "former"), "clicks.v1")]))
}

fn broker() -> Broker {
    let group =
        |members, topics: &[&str]| GroupTold { members, topics: topics.iter().map(|it| (*it).into()).collect() };
    Broker {
        topics: own().topics().into_iter().map(|topic| (topic, TopicTold::There(None))).collect(),
        groups: BTreeMap::from([
            ("clicks.v1".into(), group(0, &["clickstream"])),
            ("clicks.v2".into(), group(3, &["clickstream", "sessions"])),
            ("dashboard".into(), group(2, &["audit"])),
            ("yesterday".into(), group(0, &["sessions", "counts"])),
        ]),
        untold: None,
    }
}

fn others() -> Others {
    let uses = uses([&object("billing", ("shared", ""), "billing.v1")]);
    Others { uses, routes: BTreeMap::from([("routed".into(), "orders".into())]), unseen: None }
}

fn fates(found: &[Remnant]) -> BTreeMap<String, String> {
    let word = |it: &Remnant| if it.goes { "goes: " } else { "stays: " };
    found.iter().map(|it| (it.name(), format!("{}{}", word(it), it.because))).collect()
}

#[test]
fn only_what_this_pipeline_alone_writes_goes_and_each_other_is_named() {
    let found = fates(&remnants(&own(), &others(), Some(&broker()), BOTH));
    let said = |name: &str| found.get(name).map_or("", String::as_str);
    assert!(said("topic sessions").starts_with("goes: "), "read by itself and by nobody else: {found:?}");
    assert!(said("topic counts").starts_with("goes: "));
    assert_eq!(said("topic clickstream"), "stays: clicks only reads it: somebody else writes it");
    assert_eq!(said("topic shared"), "stays: billing in team reads it");
    assert_eq!(said("topic routed"), "stays: route orders leads through it");
    assert_eq!(said("topic audit"), "stays: consumer group dashboard reads it now, with 2 members");
    assert_eq!(said("consumer group clicks.v2"), "goes: once the pods are gone: it has 3 members now");
    assert!(said("consumer group clicks.v1").starts_with("goes: "), "an earlier offset version is its own too");
    assert_eq!(said("topic former"), "", "what it wrote once is no topic of its own");
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn nothing_goes_unasked() {
    for sweep in Sweep::ALL {
        for it in remnants(&own(), &others(), Some(&broker()), sweep).iter().filter(|it| it.goes) {
            let asked = if matches!(it.resource, Resource::Topic(_)) { sweep.topics } else { sweep.groups };
            assert!(asked, "{sweep:?}: {it:?}");
        }
        assert!(remnants(&own(), &others(), None, sweep).iter().all(|it| !it.goes));
    }
}

#[test]
fn what_nobody_can_look_at_stays_and_what_is_gone_is_not_named() {
    let mut broker = broker();
    broker.topics.insert("sessions".into(), TopicTold::Unknown("no Describe".into()));
    broker.topics.insert("counts".into(), TopicTold::Missing);
    broker.groups.remove("clicks.v1");
    let found = fates(&remnants(&own(), &others(), Some(&broker), BOTH));
    assert_eq!(found["topic sessions"], "stays: nobody can look at it from here: no Describe");
    assert!(!found.contains_key("topic counts") && !found.contains_key("consumer group clicks.v1"), "{found:?}");
    broker.untold = Some("broker 2 did not answer".into());
    broker.topics.insert("sessions".into(), TopicTold::There(None));
    let found = remnants(&own(), &others(), Some(&broker), BOTH);
    let topics = found.iter().filter(|it| matches!(it.resource, Resource::Topic(_)));
    assert!(topics.clone().count() > 0 && topics.clone().all(|it| !it.goes), "{found:?}");
    assert!(fates(&found)["consumer group clicks.v1"].starts_with("stays: nobody can look"), "{found:?}");
}

#[test]
fn a_group_of_the_same_name_elsewhere_stays_and_a_missing_right_is_named() {
    let twin = Use { namespace: "other".into(), ..uses([&object("clicks", ("x", ""), "clicks.v2")]).remove(0) };
    let others = Others { uses: vec![twin], ..Others::default() };
    let mut broker = broker();
    broker.topics.insert("counts".into(), TopicTold::There(Some(false)));
    let found = remnants(&own(), &others, Some(&broker), BOTH);
    assert_eq!(fates(&found)["consumer group clicks.v2"], "stays: clicks in other has the same consumer group");
    let words = "may not delete topic counts: Kafka's rules give this user no Delete on it";
    assert_eq!(forbidden(&found, &broker), [words]);
}

#[test]
fn plain_workloads_use_topics_as_the_operators_do() {
    let mut plain = object("counter-jobmanager", ("a", "b"), "g");
    plain["kind"] = json!("Deployment");
    assert_eq!(uses([&plain]), [], "a deployment that is no JobManager");
    plain["metadata"]["labels"] = json!({"component": "jobmanager", "app.kubernetes.io/part-of": "clicks"});
    let found = uses([&plain]);
    assert_eq!((found[0].pipeline.as_str(), found[0].processor.as_str()), ("clicks", "counter"));
}
