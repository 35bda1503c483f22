#![expect(clippy::needless_pass_by_value, reason = "values written in place read better without a reference")]

use serde_json::json;

use super::pods::{Role, Shape};
use super::*;
use crate::plan::object::{Id, set};

fn task_managers(replicas: u32, cpu: &str, memory: &str) -> Value {
    let sizes = json!({"cpu": cpu, "memory": memory});
    json!({"kind": "StatefulSet", "metadata": {"name": "orders-taskmanager"}, "spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "orders", "component": "taskmanager"}},
        "template": {"metadata": {"labels": {"app": "orders", "component": "taskmanager"}}, "spec": {
            "containers": [{"name": "taskmanager", "resources": {"requests": sizes, "limits": sizes}}]}},
    }})
}

fn of(before: Option<&Value>, after: &Value) -> Vec<Fleet> {
    let id = Id::of(after).unwrap();
    pods::fleets((&id, before, Some(after)), true)
}

/// Pods of the TaskManagers, one a node.
fn there(count: usize, cpu: &str, memory: &str) -> Vec<Pod> {
    let pod = |index: usize| {
        let sizes = json!({"cpu": cpu, "memory": memory});
        Pod::of(&json!({"metadata": {"labels": {"app": "orders", "component": "taskmanager", "x": "y"}},
            "spec": {"nodeName": format!("node-{}", index + 1), "containers": [{"resources": {"requests": sizes, "limits": sizes}}]},
            "status": {"phase": "Running"}}))
    };
    (0..count).filter_map(pod).collect()
}

fn node(name: &str, cpu: &str, more: Value) -> Node {
    let mut node = json!({"metadata": {"name": name, "labels": {"pool": name}}, "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": "64Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]}});
    more.as_object().unwrap().iter().for_each(|(name, value)| set(&mut node, &["spec", name], value.clone()));
    Node::of(&node).unwrap()
}

fn quota(hard: Value, used: Value) -> Value {
    json!({"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}})
}

/// Two nodes of 8 cores, two pods of 2 cpu and 4 GiB on them, and no rules.
fn site() -> Site {
    let pods = there(2, "2", "4Gi");
    let bound = pods.iter().filter_map(|pod| Some((pod.node.clone()?, nodes::with_pod(pod.requests.clone()))));
    Site {
        quotas: Ok(Vec::new()),
        limits: Ok(Vec::new()),
        bound: Ok(bound.collect()),
        pods: Ok(pods),
        nodes: Ok(vec![node("node-1", "8", json!({})), node("node-2", "8", json!({}))]),
    }
}

fn said(fleets: &[Fleet], site: &Site) -> Vec<String> {
    let room = look(fleets, site);
    let needs = room.needs.into_iter().map(|it| it.words);
    needs.chain(room.findings.iter().map(|it| format!("{}{}", it.weight.word(), it.message))).collect()
}

#[test]
fn five_more_pods_and_a_quota_with_room_for_three() {
    let fleets = of(Some(&task_managers(2, "2", "4Gi")), &task_managers(7, "2", "4Gi"));
    let hard = json!({"requests.cpu": "11", "pods": "20", "services": "5"});
    let used = json!({"requests.cpu": "5", "pods": "3", "services": "1"});
    let site = Site { quotas: Ok(vec![quota(hard, used)]), ..site() };
    assert_eq!(
        said(&fleets, &site),
        [
            "orders needs 5 more pods (TaskManager) of 2 cpu, 4 GiB",
            "no room: quota team has room for 3 of the 5 more pods: requests.cpu 5 cpu of 11 cpu used, and it would be 15 cpu",
            "room: nodes have room for 5 pods (TaskManager of orders): node-1 for 3, node-2 for 3",
        ]
    );
    let enough = quota(json!({"cpu": "15", "pods": "8"}), json!({"cpu": "5", "pods": "3"}));
    let words = said(&fleets, &Site { quotas: Ok(vec![enough]), ..site });
    assert!(words.iter().any(|it| it == "room: quota team has enough: cpu 15 cpu of 15 cpu, pods 8 of 8"), "{words:?}");
}

#[test]
fn nothing_is_asked_for_when_no_pod_comes() {
    let same = task_managers(2, "2", "4Gi");
    assert!(!matters(&of(Some(&same), &same)));
    assert!(!matters(&of(Some(&same), &task_managers(1, "2", "4Gi"))));
    assert!(matters(&of(Some(&same), &task_managers(2, "3", "4Gi"))), "a template that differs replaces pods");
    assert!(matters(&of(None, &same)));
    assert_eq!(look(&of(Some(&same), &same), &site()), Room::default());
}

#[test]
fn larger_pods_take_the_place_of_those_that_go() {
    // Each node has 8, of which 2 are taken by the old pod: a pod of 7 fits only where the old one went.
    let larger = of(Some(&task_managers(2, "2", "4Gi")), &task_managers(2, "7", "4Gi"));
    let full = quota(json!({"limits.cpu": "14"}), json!({"limits.cpu": "4"}));
    let words = said(&larger, &Site { quotas: Ok(vec![full]), ..site() });
    assert_eq!(
        words,
        [
            "orders replaces 2 pods (TaskManager) by pods of 7 cpu, 4 GiB",
            "room: quota team has enough: limits.cpu 14 cpu of 14 cpu",
            "room: nodes have room for 2 pods (TaskManager of orders): node-1 for 1, node-2 for 1",
        ]
    );
    let small = quota(json!({"limits.cpu": "13"}), json!({"limits.cpu": "4"}));
    let words = said(&larger, &Site { quotas: Ok(vec![small]), ..site() });
    assert!(words[1].starts_with("no room: quota team has room for 1 of 2 pods that come again"), "{words:?}");
}

#[test]
fn what_stands_beside_the_old_ones_for_a_while_is_counted() {
    // Added pods come before the large old ones go.
    let more_of_smaller = of(Some(&task_managers(2, "2", "4Gi")), &task_managers(4, "1", "4Gi"));
    let full = |cpu: &str| vec![quota(json!({"requests.cpu": cpu}), json!({"requests.cpu": "4"}))];
    let words = said(&more_of_smaller, &Site { quotas: Ok(full("5")), ..site() });
    assert!(
        words[1].contains("not beside the old ones: requests.cpu 4 cpu of 5 cpu used, and it would be 6 cpu"),
        "{words:?}"
    );
    let words = said(&more_of_smaller, &Site { quotas: Ok(full("6")), ..site() });
    assert!(words[1].starts_with("room: quota team"), "{words:?}");

    // A Deployment that rolls makes a new pod first; one that recreates does not.
    let deployment = |image: &str, kind: &str| {
        let mut object = task_managers(1, "2", "4Gi");
        set(&mut object, &["kind"], json!("Deployment"));
        set(&mut object, &["spec", "strategy"], json!({"type": kind}));
        set(&mut object, &["spec", "template", "metadata", "annotations"], json!({"image": image}));
        object
    };
    let of_kind = |kind: &str| of(Some(&deployment("a", kind)), &deployment("b", kind));
    let one = Site {
        quotas: Ok(vec![quota(json!({"pods": "1"}), json!({"pods": "1"}))]),
        pods: Ok(there(1, "2", "4Gi")),
        ..site()
    };
    assert!(said(&of_kind("RollingUpdate"), &one)[1].contains("the replacement would stand still"));
    assert!(said(&of_kind("Recreate"), &one)[1].starts_with("room: quota team"));
}

#[test]
fn quotas_that_count_other_pods_say_nothing_and_unnamed_sizes_are_refused() {
    let fleets = of(None, &task_managers(1, "2", "4Gi"));
    let with = |spec: Value, hard: Value| {
        let mut quota = quota(hard, json!({}));
        spec.as_object().unwrap().iter().for_each(|(name, value)| set(&mut quota, &["spec", name], value.clone()));
        let words = said(&fleets, &Site { quotas: Ok(vec![quota]), ..site() });
        words.into_iter().find(|it| it.contains("quota"))
    };
    assert_eq!(with(json!({"scopes": ["BestEffort"]}), json!({"pods": "0"})), None);
    assert_eq!(with(json!({"scopes": ["Terminating"]}), json!({"pods": "0"})), None);
    assert!(with(json!({"scopes": ["NotBestEffort"]}), json!({"pods": "0"})).unwrap().starts_with("no room"));
    let class = json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}});
    assert_eq!(with(class, json!({"pods": "0"})), None);
    assert_eq!(with(json!({}), json!({"services": "0", "requests.storage": "1Gi"})), None);

    let mut unnamed = task_managers(1, "2", "4Gi");
    let spec = unnamed.pointer_mut("/spec/template/spec/containers/0/resources").unwrap();
    *spec = json!({"requests": {"cpu": "1", "memory": "1Gi"}});
    let limits = quota(json!({"limits.memory": "100Gi"}), json!({}));
    let words = said(&of(None, &unnamed), &Site { quotas: Ok(vec![limits.clone()]), pods: Ok(Vec::new()), ..site() });
    assert!(
        words[1].contains("wants limits.memory to be named by every container, and taskmanager of orders's"),
        "{words:?}"
    );
    // A default of the namespace names it.
    let range = json!({"metadata": {"name": "defaults"}, "spec": {"limits": [{"type": "Container", "default": {"memory": "2Gi"}}]}});
    let words = said(
        &of(None, &unnamed),
        &Site { quotas: Ok(vec![limits]), limits: Ok(vec![range]), pods: Ok(Vec::new()), ..site() },
    );
    assert!(words[1].starts_with("room: quota team has enough: limits.memory 2 GiB of 100 GiB"), "{words:?}");
}

#[test]
fn limit_ranges_are_compared_with_containers_and_pods() {
    let fleets = of(None, &task_managers(1, "4", "4Gi"));
    let with = |item: Value| {
        let range = json!({"metadata": {"name": "sizes"}, "spec": {"limits": [item]}});
        let words = said(&fleets, &Site { limits: Ok(vec![range]), ..site() });
        words.into_iter().find(|it| it.contains("limit range"))
    };
    assert_eq!(
        with(json!({"type": "Container", "max": {"cpu": "2"}})).as_deref(),
        Some(
            "no room: limit range sizes allows container taskmanager of orders's TaskManager 2 cpu at most, and it may use 4 cpu"
        )
    );
    assert!(
        with(json!({"type": "Pod", "min": {"memory": "8Gi"}}))
            .unwrap()
            .contains("no less than 8 GiB, and it asks for 4 GiB")
    );
    assert_eq!(with(json!({"type": "Container", "max": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "1"}})), None);
    assert_eq!(with(json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}})), None);
}

#[test]
fn nodes_that_take_no_such_pod_are_not_counted() {
    let fleets = of(Some(&task_managers(2, "2", "4Gi")), &task_managers(7, "2", "4Gi"));
    let tainted = json!({"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]});
    let nodes = vec![
        node("node-1", "8", json!({"unschedulable": true})),
        node("node-2", "8", json!({})),
        node("node-3", "64", tainted),
    ];
    let site = Site { nodes: Ok(nodes), ..site() };
    assert_eq!(
        said(&fleets, &site).last().unwrap(),
        "warning: nodes have room for 3 of 5 pods (TaskManager of orders): node-2 for 3; of 3 nodes 1 not ready or cordoned, \
         1 tainted; the others would wait for a node"
    );
    let mut tolerant = task_managers(7, "2", "4Gi");
    let toleration = json!([{"key": "dedicated", "operator": "Exists"}]);
    set(&mut tolerant, &["spec", "template", "spec", "tolerations"], toleration);
    let words = said(&of(None, &tolerant), &site);
    assert!(words.last().unwrap().contains("node-3 for 16"), "{words:?}");
    let mut selecting = task_managers(7, "2", "4Gi");
    set(&mut selecting, &["spec", "template", "spec", "nodeSelector"], json!({"pool": "elsewhere"}));
    let words = said(&of(None, &selecting), &site);
    assert!(words.last().unwrap().starts_with("warning: no node takes orders's TaskManager: "), "{words:?}");
    let words = said(&of(None, &task_managers(1, "16", "4Gi")), &site);
    assert_eq!(
        words.last().unwrap(),
        "warning: no node is large enough for orders's TaskManager of 16 cpu, 4 GiB: the largest that it may run on, node-2, \
         has 8 cpu, 64 GiB"
    );
}

#[test]
fn what_could_not_be_asked_is_not_guessed() {
    let fleets = of(Some(&task_managers(2, "2", "4Gi")), &task_managers(7, "2", "4Gi"));
    let why: Arc<str> = "forbidden: nodes is forbidden".into();
    let words = said(&fleets, &Site { nodes: Err(why.clone()), ..site() });
    assert_eq!(words.last().unwrap(), "not known: whether nodes have room: forbidden: nodes is forbidden");
    let words = said(&fleets, &Site { bound: Err(why.clone()), ..site() });
    assert_eq!(words.last().unwrap(), "not known: whether nodes have room: forbidden: nodes is forbidden");
    let blind = Site { quotas: Err(why.clone()), limits: Err(why.clone()), pods: Err(why), ..site() };
    let words = said(&fleets, &blind);
    assert_eq!(words.iter().filter(|it| it.starts_with("not known")).count(), 3, "{words:?}");
    assert_eq!(words[0], "orders needs 5 more pods (TaskManager) of 2 cpu, 4 GiB", "the object says what was there");
}

#[test]
fn the_operators_pods_are_known_from_its_resource() {
    let flink = json!({"kind": "FlinkDeployment", "metadata": {"name": "orders"}, "spec": {
        "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4", "kubernetes.taskmanager": {"cpu.limit-factor": "1.5"}},
        "podTemplate": {"spec": {"nodeSelector": {"pool": "flink"}, "containers": [
            {"name": "flink-main-container"}, {"name": "logs", "resources": {"requests": {"cpu": "100m"}}}]}},
        "jobManager": {"resource": {"cpu": 1, "memory": "2048m"}},
        "taskManager": {"resource": {"cpu": 2.5, "memory": "4g"}},
        "job": {"jarURI": "x", "parallelism": 10}}});
    let [manager, workers] = of(None, &flink).try_into().unwrap();
    assert_eq!(
        (manager.role, manager.count, amounts::words(&manager.shape.requests())),
        (Role::JobManager, 1, "1.1 cpu, 2 GiB".into())
    );
    assert_eq!((workers.count, amounts::words(&workers.shape.requests())), (3, "2.6 cpu, 4 GiB".into()));
    assert_eq!(workers.shape.limits().get("cpu"), Some(&3_750));
    assert_eq!(workers.shape.place["nodeSelector"]["pool"], "flink");
    let mut stopped = flink.clone();
    set(&mut stopped, &["spec", "job", "state"], json!("suspended"));
    assert!(of(Some(&flink), &stopped).iter().all(|it| it.count == 0));
    assert!(!matters(&of(Some(&flink), &stopped)));
}

#[test]
fn a_pod_asks_for_its_containers_or_for_the_largest_that_comes_before() {
    let asks = |cpu: &str| json!({"requests": {"cpu": cpu}});
    let spec = json!({"overhead": {"cpu": "100m"}, "initContainers": [
            {"name": "sidecar", "restartPolicy": "Always", "resources": asks("200m")}, {"name": "init", "resources": asks("3")}],
        "containers": [{"name": "a", "resources": asks("1")}, {"name": "b", "resources": asks("500m")}]});
    assert_eq!(Shape::of(&spec).requests().get("cpu"), Some(&3_300));
    let ended = json!({"spec": spec, "status": {"phase": "Succeeded"}});
    assert_eq!(Pod::of(&ended), None);
}
