//! The kinds that the demo's API servers know, in one table: routing, discovery and error messages read it.

/// One kind as an API server serves it.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Empty for the core group.
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) short: &'static str,
    pub(crate) subresources: &'static [&'static str],
}

macro_rules! resource {
    ($name:ident, $group:literal, $version:literal, $plural:literal, $kind:literal, $namespaced:literal, $short:literal, $subresources:expr) => {
        pub(crate) static $name: Resource = Resource {
            group: $group,
            version: $version,
            plural: $plural,
            kind: $kind,
            namespaced: $namespaced,
            short: $short,
            subresources: $subresources,
        };
    };
}

resource!(NAMESPACES, "", "v1", "namespaces", "Namespace", false, "ns", &["status"]);
resource!(NODES, "", "v1", "nodes", "Node", false, "no", &["status"]);
resource!(PODS, "", "v1", "pods", "Pod", true, "po", &["log", "status", "eviction"]);
resource!(SERVICES, "", "v1", "services", "Service", true, "svc", &["proxy", "status"]);
resource!(CONFIG_MAPS, "", "v1", "configmaps", "ConfigMap", true, "cm", &[]);
resource!(SECRETS, "", "v1", "secrets", "Secret", true, "", &[]);
resource!(SERVICE_ACCOUNTS, "", "v1", "serviceaccounts", "ServiceAccount", true, "sa", &[]);
resource!(EVENTS, "", "v1", "events", "Event", true, "ev", &[]);
resource!(RESOURCE_QUOTAS, "", "v1", "resourcequotas", "ResourceQuota", true, "quota", &["status"]);
resource!(DEPLOYMENTS, "apps", "v1", "deployments", "Deployment", true, "deploy", &["status", "scale"]);
resource!(STATEFUL_SETS, "apps", "v1", "statefulsets", "StatefulSet", true, "sts", &["status", "scale"]);
resource!(REPLICA_SETS, "apps", "v1", "replicasets", "ReplicaSet", true, "rs", &["status", "scale"]);
resource!(JOBS, "batch", "v1", "jobs", "Job", true, "", &["status"]);
resource!(EVENTS_V1, "events.k8s.io", "v1", "events", "Event", true, "ev", &[]);
resource!(
    FLINK_DEPLOYMENTS,
    "flink.apache.org",
    "v1beta1",
    "flinkdeployments",
    "FlinkDeployment",
    true,
    "flinkdep",
    &["status", "scale"]
);
resource!(
    FLINK_SESSION_JOBS,
    "flink.apache.org",
    "v1beta1",
    "flinksessionjobs",
    "FlinkSessionJob",
    true,
    "sessionjob",
    &["status"]
);
resource!(
    FLINK_STATE_SNAPSHOTS,
    "flink.apache.org",
    "v1beta1",
    "flinkstatesnapshots",
    "FlinkStateSnapshot",
    true,
    "flinksnp",
    &["status"]
);
resource!(POD_METRICS, "metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true, "", &[]);
resource!(LEASES, "coordination.k8s.io", "v1", "leases", "Lease", true, "", &[]);

/// Everything that is stored or computed, in the order of discovery.
pub(crate) static ALL: [&Resource; 19] = [
    &NAMESPACES,
    &NODES,
    &PODS,
    &SERVICES,
    &CONFIG_MAPS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &EVENTS,
    &RESOURCE_QUOTAS,
    &DEPLOYMENTS,
    &STATEFUL_SETS,
    &REPLICA_SETS,
    &JOBS,
    &EVENTS_V1,
    &FLINK_DEPLOYMENTS,
    &FLINK_SESSION_JOBS,
    &FLINK_STATE_SNAPSHOTS,
    &POD_METRICS,
    &LEASES,
];

impl Resource {
    pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        ALL.into_iter()
            .find(|resource| resource.group == group && resource.version == version && resource.plural == plural)
    }

    /// `v1` or `apps/v1`, as `apiVersion` says it.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as error messages say it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Where objects of this kind are kept: both event groups show the same objects.
    pub(crate) fn storage(&'static self) -> &'static Self {
        if std::ptr::eq(self, &raw const EVENTS_V1) { &EVENTS } else { self }
    }

    /// Two names of one kind are the same resource.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.group == other.group && self.plural == other.plural
    }
}
