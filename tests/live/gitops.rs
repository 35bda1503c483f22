//! Objects that a repository keeps: nothing is written to them, and the change is a file that does the same.

use serde_json::{Value, json};

use crate::deploy::{MANIFEST, done, file, report, settings, wanted};
use crate::stack::{Namespace, kubectl};

/// How Argo CD and Flux mark what they keep: by label, by annotation.
const MARKS: [(&str, &str, &str); 6] = [
    ("label", "argocd.argoproj.io/instance", "Argo CD (shop)"),
    ("annotate", "argocd.argoproj.io/tracking-id", "Argo CD (shop)"),
    ("annotate", "argocd.argoproj.io/instance", "Argo CD (shop)"),
    ("label", "kustomize.toolkit.fluxcd.io/name", "Flux (shop)"),
    ("label", "helm.toolkit.fluxcd.io/name", "Flux (shop)"),
    ("annotate", "fluxcd.io/sync-gc-mark", "Flux (shop)"),
];

#[test]
fn a_change_of_what_a_repository_keeps_becomes_a_patch_that_does_the_same() {
    let namespace = Namespace::new("gitops");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let folder = tempfile::tempdir().unwrap();
    let patch = folder.path().join("change.yaml").to_string_lossy().into_owned();
    let on = |verb: &str, mark: &str| kubectl(&[verb, "flinkdeployment", "counter", "-n", &namespace.0, mark]);
    for (number, (verb, mark, owner)) in MARKS.iter().enumerate() {
        on(verb, &format!("{mark}=shop"));
        let before = wanted(&namespace.0);
        let cores = number + 2;
        let (_larger, larger) = file(&MANIFEST.replace("cpu: 0.5", &format!("cpu: {cores}")));
        let (code, refused, words) =
            report(&settings, &["apply", "-f", &larger, "--yes", "--patch-file", &patch, "--force-conflicts"]);
        assert!(code == 7 && words.contains(owner), "{mark}: {code} {words}");
        assert_eq!(wanted(&namespace.0), before, "{mark}: it is left alone");
        assert_eq!(refused["patch_file"], json!(patch), "{refused:#}");
        let text = std::fs::read_to_string(&patch).unwrap();
        let document: Value = serde_saphyr::from_str(text.split("---\n").nth(1).unwrap()).unwrap();
        assert_eq!(document["spec"], json!({"taskManager": {"resource": {"cpu": cores}}}), "{text}");
        // Whoever keeps it makes the change: then nothing differs any more.
        let arguments =
            ["patch", "flinkdeployment", "counter", "-n", &namespace.0, "--type=merge", "--patch-file", &patch];
        kubectl(&arguments);
        on(verb, &format!("{mark}-"));
        assert_eq!(settings.command(&["diff", "-f", &larger, "--exit-code"]).status.code(), Some(0), "{mark}");
    }
    let audit = settings.json(&["audit", "clicks", "-o", "json"]);
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(last["outcome"], "refused");
    assert!(last["message"].as_str().unwrap().contains("the change was written to"), "{last:#}");
}

#[test]
fn a_file_of_somebody_else_is_not_written_over() {
    let namespace = Namespace::new("gitops-file");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    kubectl(&["label", "flinkdeployment", "counter", "-n", &namespace.0, "argocd.argoproj.io/instance=shop"]);
    let own = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(own.path(), "kind: Mine\n").unwrap();
    let theirs = own.path().to_string_lossy().into_owned();
    let (code, _, words) = report(&settings, &["stop", "clicks", "--yes", "--patch-file", &theirs]);
    assert!(code == 2 && words.contains("--patch-file names another"), "{code} {words}");
    assert_eq!(std::fs::read_to_string(own.path()).unwrap(), "kind: Mine\n");
    // A dry run writes none, and without a name it lies where the command ran.
    let (_, looked, _) = report(&settings, &["stop", "clicks", "--dry-run"]);
    assert_eq!(looked["patch_file"], Value::Null);
    let (_, stopped, _) = report(&settings, &["stop", "clicks", "--yes"]);
    assert_eq!(stopped["patch_file"], "clicks-stop.patch.yaml");
    let text = std::fs::read_to_string(settings.folder().join("clicks-stop.patch.yaml")).unwrap();
    assert!(text.contains("state: suspended") && text.matches("---\n").count() == 2, "{text}");
}
