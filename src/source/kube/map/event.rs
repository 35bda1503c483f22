//! Kubernetes events.

use super::Mapper;
use crate::model::cluster_event::ClusterEvent;
use crate::source::kube::trouble::cut;
use crate::source::kube::wire::record::Record;

/// Turns an event into a row, whichever generation of reporter wrote it.
pub fn event(mapper: &mut Mapper, record: &Record) -> ClusterEvent {
    let series = record.series.as_ref();
    let last = series.and_then(|series| series.last_observed_time).or(record.last_timestamp).or(record.event_time);
    let reporter = record.source.component.as_deref().filter(|name| !name.is_empty());
    let reporter = reporter.or(record.reporting_component.as_deref());
    ClusterEvent {
        key: mapper.key(&record.metadata),
        kind: mapper.strings.share(record.involved_object.kind.as_deref().unwrap_or_default()),
        object: mapper.strings.share(record.involved_object.name.as_deref().unwrap_or_default()),
        warning: record.kind.as_deref() == Some("Warning"),
        reason: mapper.strings.share(&cut(record.reason.as_deref().unwrap_or_default())),
        message: cut(record.message.as_deref().unwrap_or_default()),
        count: series.and_then(|series| series.count).or(record.count).unwrap_or(1).max(1),
        first_at: record.first_timestamp.or(record.event_time).or(record.metadata.created_at),
        last_at: last.or(record.metadata.created_at),
        reporter: mapper.strings.share(reporter.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_generations_are_read() {
        let read = |object| event(&mut Mapper::new("e".into()), &serde_json::from_value(object).unwrap());
        let old = read(
            json!({"metadata": {"name": "a", "namespace": "n"}, "involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning",
            "reason": "BackOff", "message": "m", "count": 3, "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T01:00:00Z",
            "eventTime": null, "source": {"component": "kubelet"}, "reportingComponent": ""}),
        );
        assert_eq!((old.count, old.warning, &*old.reporter), (3, true, "kubelet"));
        let new = read(
            json!({"metadata": {"name": "a"}, "involvedObject": {}, "type": "Normal", "firstTimestamp": null, "count": null, "source": {},
            "eventTime": "2026-01-01T00:00:00.000001Z", "series": {"count": 9, "lastObservedTime": "2026-01-01T02:00:00.000000Z"}, "reportingComponent": "scheduler"}),
        );
        assert_eq!((new.count, &*new.reporter), (9, "scheduler"));
        assert!(new.last_at > new.first_at);
    }
}
