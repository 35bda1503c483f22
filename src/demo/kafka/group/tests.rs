//! The rebalance, told call by call with scripted time.

use super::*;

struct Script {
    group: Group,
    now: Instant,
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn call(member_id: &str) -> JoinCall {
    JoinCall {
        member_id: text(member_id),
        instance: None,
        client_id: text("client"),
        session_timeout: Duration::from_secs(6),
        rebalance_timeout: Duration::from_secs(30),
        protocol_type: text("consumer"),
        protocols: vec![(text("range"), Bytes::from_static(b"metadata"))],
        by_invitation: false,
    }
}

impl Script {
    fn new() -> Self {
        Self { group: Group::default(), now: Instant::now() }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.group.expire(self.now);
    }

    fn join(&mut self, call: JoinCall, new_id: &str) -> Reception<JoinOutcome> {
        self.group.join(call, text(new_id), self.now)
    }

    fn sync(&mut self, id: &str, generation: i32, given: &[(&str, &'static str)]) -> Reception<SyncOutcome> {
        let given = given.iter().map(|(id, bytes)| (text(id), Bytes::from_static(bytes.as_bytes()))).collect();
        let id = text(id);
        self.group.sync(Caller { member_id: &id, instance: None, generation }, given, self.now)
    }

    fn heartbeat(&mut self, id: &str, generation: i32) -> Result<(), ResponseError> {
        let id = text(id);
        self.group.heartbeat(Caller { member_id: &id, instance: None, generation }, self.now)
    }

    /// Two members, `a` leading, in generation 1 with their assignments.
    fn pair() -> Self {
        let mut script = Self::new();
        let mut first = script.join(call(""), "a");
        let mut second = script.join(call(""), "b");
        script.pass(200);
        assert_eq!(outcome(&mut first).unwrap().unwrap().members.len(), 2);
        assert_eq!(outcome(&mut second).unwrap().unwrap().leader, text("a"));
        let mut waiting = script.sync("b", 1, &[]);
        assert!(outcome(&mut waiting).is_none());
        let mut leading = script.sync("a", 1, &[("a", "left"), ("b", "right")]);
        assert_eq!(outcome(&mut leading), Some(Ok(Bytes::from_static(b"left"))));
        assert_eq!(outcome(&mut waiting), Some(Ok(Bytes::from_static(b"right"))));
        assert_eq!(script.group.phase(), Phase::Stable);
        script
    }
}

fn outcome<T: std::fmt::Debug>(reception: &mut Reception<T>) -> Option<T> {
    match std::mem::replace(reception, Reception::Parked(oneshot::channel().1)) {
        Reception::Now(value) => Some(value),
        Reception::Parked(mut receiver) => {
            let value = receiver.try_recv().ok();
            *reception = Reception::Parked(receiver);
            value
        }
    }
}

#[test]
fn two_members_share_one_first_generation() {
    Script::pair();
}

#[test]
fn a_newcomer_makes_everyone_join_again() {
    let mut script = Script::pair();
    let mut newcomer = script.join(call(""), "c");
    assert_eq!(script.heartbeat("a", 1), Err(ResponseError::RebalanceInProgress));
    let mut first = script.join(call("a"), "unused");
    assert!(outcome(&mut newcomer).is_none());
    let mut second = script.join(call("b"), "unused");
    let joined = outcome(&mut first).unwrap().unwrap();
    assert_eq!((joined.generation, joined.members.len()), (2, 3));
    assert_eq!(outcome(&mut second).unwrap().unwrap().generation, 2);
    assert_eq!(outcome(&mut newcomer).unwrap().unwrap().member_id, text("c"));
    assert_eq!(script.heartbeat("b", 1), Err(ResponseError::IllegalGeneration));
}

#[test]
fn whoever_does_not_come_back_is_left_out() {
    let mut script = Script::pair();
    let mut newcomer = script.join(call(""), "c");
    for _ in 0..31 {
        script.pass(1_000);
        let told = script.heartbeat("a", 1);
        assert!(told.is_err());
    }
    let joined = outcome(&mut newcomer).unwrap().unwrap();
    assert_eq!((joined.leader, joined.members.len()), (text("c"), 1));
}

#[test]
fn a_silent_member_expires_and_the_others_share() {
    let mut script = Script::pair();
    script.pass(4_000);
    assert_eq!(script.heartbeat("b", 1), Ok(()));
    script.pass(4_000);
    assert_eq!(script.heartbeat("a", 1), Err(ResponseError::UnknownMemberId));
    assert_eq!(script.heartbeat("b", 1), Err(ResponseError::RebalanceInProgress));
    let mut rest = script.join(call("b"), "unused");
    assert_eq!(outcome(&mut rest).unwrap().unwrap().leader, text("b"));
}

#[test]
fn leaving_rebalances_and_the_last_empties_the_group() {
    let mut script = Script::pair();
    assert_eq!(script.group.leave(&text("a"), None, script.now), Ok(()));
    assert_eq!(script.group.leave(&text("a"), None, script.now), Err(ResponseError::UnknownMemberId));
    assert_eq!(script.group.leave(&text("b"), None, script.now), Ok(()));
    assert_eq!(script.group.phase(), Phase::Empty);
    assert!(script.group.is_deserted());
}

#[test]
fn newcomers_of_later_versions_are_invited_first() {
    let mut script = Script::new();
    let mut told = script.join(JoinCall { by_invitation: true, ..call("") }, "x");
    let refusal = outcome(&mut told).unwrap().unwrap_err();
    assert_eq!(refusal, NotJoined { error: ResponseError::MemberIdRequired, member_id: text("x") });
    let mut stranger = script.join(JoinCall { by_invitation: true, ..call("y") }, "unused");
    assert_eq!(outcome(&mut stranger).unwrap().unwrap_err().error, ResponseError::UnknownMemberId);
    let mut back = script.join(JoinCall { by_invitation: true, ..call("x") }, "unused");
    script.pass(200);
    assert_eq!(outcome(&mut back).unwrap().unwrap().member_id, text("x"));
}

#[test]
fn protocols_must_agree_and_the_favourite_wins() {
    let mut script = Script::new();
    let both = vec![(text("sticky"), Bytes::new()), (text("range"), Bytes::new())];
    let mut first = script.join(JoinCall { protocols: both.clone(), ..call("") }, "a");
    let mut second = script.join(JoinCall { protocols: both, ..call("") }, "b");
    let other = vec![(text("other"), Bytes::new())];
    let mut stranger = script.join(JoinCall { protocols: other, ..call("") }, "c");
    assert_eq!(outcome(&mut stranger).unwrap().unwrap_err().error, ResponseError::InconsistentGroupProtocol);
    script.pass(200);
    assert_eq!(outcome(&mut first).unwrap().unwrap().protocol, text("sticky"));
    assert_eq!(outcome(&mut second).unwrap().unwrap().protocol, text("sticky"));
}

#[test]
fn a_static_member_is_replaced_by_its_instance_name() {
    let mut script = Script::new();
    let fixed = JoinCall { instance: Some(text("pod-0")), ..call("") };
    let mut old = script.join(fixed.clone(), "a");
    let mut new = script.join(fixed, "b");
    assert_eq!(outcome(&mut old).unwrap().unwrap_err().error, ResponseError::FencedInstanceId);
    script.pass(200);
    assert_eq!(outcome(&mut new).unwrap().unwrap().member_id, text("b"));
}

#[test]
fn commits_are_for_members_of_the_generation_or_for_nobodys_groups() {
    let mut script = Script::pair();
    let (member, nobody) = (text("a"), text(""));
    let mut commit =
        |member_id, generation| script.group.may_commit(Caller { member_id, instance: None, generation }, script.now);
    assert_eq!(commit(&member, 1), Ok(()));
    assert_eq!(commit(&member, 0), Err(ResponseError::IllegalGeneration));
    assert_eq!(commit(&nobody, -1), Err(ResponseError::UnknownMemberId));
    let nobodys = Caller { member_id: &nobody, instance: None, generation: -1 };
    assert_eq!(Group::default().may_commit(nobodys, Instant::now()), Ok(()));
}

#[test]
fn after_a_restart_members_have_their_session_to_come_back() {
    let mut script = Script::pair();
    script.now += Duration::from_mins(1);
    script.group.revive(script.now);
    script.pass(5_000);
    assert_eq!(script.heartbeat("a", 1), Ok(()));
    assert_eq!(script.heartbeat("b", 1), Ok(()));
}
