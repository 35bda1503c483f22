//! Every announced version of every API, from its own description: decoded to the last byte, answered, and hostile
//! variations survived.

use std::net::Ipv4Addr;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::super::apis::APIS;
use super::super::shape::sample;
use super::*;

fn state() -> State {
    let state = State::new("tested", (Ipv4Addr::LOCALHOST, 9092).into());
    state.topics.create("t", 2, super::super::topics::Intent::Carry).unwrap();
    state
}

fn samples() -> impl Iterator<Item = (&'static Api, i16, Bytes)> {
    APIS.iter().flat_map(|api| {
        (api.oldest..=api.newest).map(move |version| {
            let flexible = version >= api.flexible_since;
            (api, version, sample::request(api.key as i16, version, api.request, flexible).into())
        })
    })
}

/// Decodes the body and answers how much of it was left.
fn left_over(frame: Bytes) -> usize {
    let mut call = Call::read(frame).unwrap();
    match call.api.key {
        ApiKey::Fetch => drop(call.decode::<FetchRequest>().unwrap()),
        ApiKey::JoinGroup => drop(call.decode::<JoinGroupRequest>().unwrap()),
        ApiKey::SyncGroup => drop(call.decode::<SyncGroupRequest>().unwrap()),
        ApiKey::Produce => drop(call.decode::<ProduceRequest>().unwrap()),
        _ => drop(state().answer_at_once(&mut call).unwrap()),
    }
    call.body.len()
}

#[test]
fn the_described_shapes_are_those_the_decoder_reads() {
    for (api, version, frame) in samples() {
        assert_eq!(left_over(frame), 0, "{:?} version {version}", api.key);
    }
}

#[tokio::test]
async fn every_announced_version_is_answered() {
    for (api, version, frame) in samples() {
        let answer = state().answer(frame).await;
        let silent = matches!(api.key, ApiKey::Produce);
        let answered = matches!(answer, Ok(ref answer) if answer.is_none() == silent);
        assert!(answered, "{:?} version {version}: {answer:?}", api.key);
    }
}

#[test]
fn repeated_names_are_answered_once() {
    let names = ["a", "b", "a", "a"].map(|name| StrBytes::from_string(name.to_owned()));
    let kept: Vec<_> = distinct(names.iter()).map(ToString::to_string).collect();
    assert_eq!(kept, ["a", "b"]);
}

proptest! {
    /// Whatever is changed in a request, it is answered, parked or refused; nothing panics or allocates wildly.
    #[test]
    fn damaged_requests_do_no_harm(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let all: Vec<_> = samples().collect();
        let (_, _, frame) = which.get(&all);
        let mut bytes = frame.to_vec();
        for (at, value) in damage {
            // The API and the version stay.
            let at = 4 + at.index(bytes.len() - 4);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let state = state();
            drop(state.answer(bytes.into()).now_or_never());
        });
    }
}
