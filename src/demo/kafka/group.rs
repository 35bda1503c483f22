//! One consumer group: the classic rebalance as a synchronous state machine.
//!
//! Members ask to join and are parked until everyone known has asked again or the rebalance timeout is over; then a
//! new generation begins, the leader hands in who gets what, and everyone parked for that is answered. Time comes in
//! with each call; answers to parked members go out through one-shot channels, so nothing here waits. A member whose
//! session runs out is removed; a member that is parked is waiting for us and does not expire.
//!
//! Static members are replaced by their instance name, but a replacement always causes a rebalance here, which Kafka
//! can sometimes avoid.

mod calls;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

pub use self::calls::{Caller, JoinCall, JoinOutcome, Joined, NotJoined, Reception, SyncOutcome};

/// How long the first members of an empty group wait for others; each newcomer prolongs it, up to [`FIRST_WAIT_MOST`].
const FIRST_WAIT: Duration = Duration::from_millis(150);

/// Bound of the wait for the first members.
const FIRST_WAIT_MOST: Duration = Duration::from_millis(1_500);

/// Members of one group at most, invited ones included.
const MEMBER_LIMIT: usize = 250;

/// Bytes of metadata or assignment of one member at most.
const MEMBER_BYTES: usize = 64 * 1024;

/// Session timeouts taken.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(30);

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No members.
    Empty,
    /// Members are asking to join; the generation begins not before the one instant and not after the other.
    Gathering { opened: Instant, not_before: Instant, deadline: Instant },
    /// The generation has begun; the leader owes the assignment.
    Assigning,
    /// Everyone has an assignment.
    Stable,
}

/// A member.
#[derive(Debug)]
pub struct Seat {
    pub client_id: StrBytes,
    pub instance: Option<StrBytes>,
    pub assignment: Bytes,
    protocols: Vec<(StrBytes, Bytes)>,
    session_timeout: Duration,
    rebalance_timeout: Duration,
    expires: Instant,
    join: Option<oneshot::Sender<JoinOutcome>>,
    sync: Option<oneshot::Sender<SyncOutcome>>,
}

impl Seat {
    /// The member's metadata for a protocol.
    pub fn metadata(&self, protocol: &StrBytes) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    const fn parked(&self) -> bool {
        self.join.is_some() || self.sync.is_some()
    }

    fn refresh(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }
}

/// Members and generation of a group.
#[derive(Debug)]
pub struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: StrBytes,
    protocol: StrBytes,
    leader: StrBytes,
    seats: BTreeMap<StrBytes, Seat>,
    /// Member ids given to newcomers who have not come back yet, and when they lapse.
    invited: HashMap<StrBytes, Instant>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: StrBytes::new(),
            protocol: StrBytes::new(),
            leader: StrBytes::new(),
            seats: BTreeMap::new(),
            invited: HashMap::new(),
        }
    }
}

impl Group {
    /// Where the group stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Kind of protocol, `consumer` for consumers; empty for a group without members so far.
    pub const fn protocol_type(&self) -> &StrBytes {
        &self.protocol_type
    }

    /// The assignment protocol chosen for this generation.
    pub const fn protocol(&self) -> &StrBytes {
        &self.protocol
    }

    /// Members by id.
    pub const fn seats(&self) -> &BTreeMap<StrBytes, Seat> {
        &self.seats
    }

    /// Whether nobody is or wants to be a member.
    pub fn is_deserted(&self) -> bool {
        self.seats.is_empty() && self.invited.is_empty()
    }

    /// A member joins or asks again. `new_id` is used for a newcomer.
    pub fn join(&mut self, call: JoinCall, new_id: StrBytes, now: Instant) -> Reception<JoinOutcome> {
        match self.admit(call, new_id, now) {
            Ok(reception) => reception,
            Err(refusal) => Reception::Now(Err(refusal)),
        }
    }

    fn admit(
        &mut self,
        mut call: JoinCall,
        new_id: StrBytes,
        now: Instant,
    ) -> Result<Reception<JoinOutcome>, NotJoined> {
        let refuse = |error, member_id: &StrBytes| NotJoined { error, member_id: member_id.clone() };
        self.check_terms(&call).map_err(|error| refuse(error, &call.member_id))?;
        let predecessor = self.instance_holder(call.instance.as_ref());
        if call.member_id.is_empty() {
            if self.seats.len() + self.invited.len() >= MEMBER_LIMIT {
                return Err(refuse(ResponseError::GroupMaxSizeReached, &call.member_id));
            }
            if call.by_invitation && call.instance.is_none() {
                self.invited.insert(new_id.clone(), now + call.session_timeout);
                return Err(refuse(ResponseError::MemberIdRequired, &new_id));
            }
            if let Some(old) = predecessor {
                self.unseat(&old, ResponseError::FencedInstanceId);
            }
            call.member_id = new_id;
            return Ok(self.seat(call, now));
        }
        if predecessor.is_some_and(|holder| holder != call.member_id) {
            return Err(refuse(ResponseError::FencedInstanceId, &call.member_id));
        }
        if self.invited.remove(&call.member_id).is_some() {
            return Ok(self.seat(call, now));
        }
        match self.seats.get(&call.member_id) {
            None => Err(refuse(ResponseError::UnknownMemberId, &call.member_id)),
            Some(seat) if self.knows_already(&call, seat) => Ok(Reception::Now(Ok(self.joined(&call.member_id)))),
            Some(_) => Ok(self.seat(call, now)),
        }
    }

    fn check_terms(&self, call: &JoinCall) -> Result<(), ResponseError> {
        if !SESSION_TIMEOUTS.contains(&call.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if call.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum::<usize>() > MEMBER_BYTES {
            return Err(ResponseError::InvalidRequest);
        }
        let others = || self.seats.iter().filter(|(id, _)| **id != call.member_id).map(|(_, seat)| seat);
        let common = |name: &StrBytes| others().all(|seat| seat.protocols.iter().any(|(known, _)| known == name));
        let same_type = others().next().is_none() || self.protocol_type == call.protocol_type;
        if call.protocol_type.is_empty() || !same_type || !call.protocols.iter().any(|(name, _)| common(name)) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Whether a member that asks again needs no new generation: it lost our answer, or asks without a reason.
    fn knows_already(&self, call: &JoinCall, seat: &Seat) -> bool {
        let unchanged = seat.protocols == call.protocols;
        match self.phase {
            Phase::Assigning => unchanged,
            Phase::Stable => unchanged && call.member_id != self.leader,
            Phase::Empty | Phase::Gathering { .. } => false,
        }
    }

    fn seat(&mut self, call: JoinCall, now: Instant) -> Reception<JoinOutcome> {
        let (sender, receiver) = oneshot::channel();
        self.protocol_type = call.protocol_type;
        let assignment = self.seats.remove(&call.member_id).map(|seat| seat.assignment).unwrap_or_default();
        self.seats.insert(
            call.member_id,
            Seat {
                client_id: call.client_id,
                instance: call.instance,
                assignment,
                protocols: call.protocols,
                session_timeout: call.session_timeout,
                rebalance_timeout: call.rebalance_timeout,
                expires: now + call.session_timeout,
                join: Some(sender),
                sync: None,
            },
        );
        self.gather(now);
        self.settle(now);
        Reception::Parked(receiver)
    }

    /// Begins to gather members, or goes on doing so.
    fn gather(&mut self, now: Instant) {
        let patience = self.seats.values().map(|seat| seat.rebalance_timeout).max().unwrap_or_default();
        self.phase = match self.phase {
            Phase::Empty => Phase::Gathering { opened: now, not_before: now + FIRST_WAIT, deadline: now + patience },
            Phase::Gathering { opened, not_before, deadline } if now < not_before => {
                let not_before = (now + FIRST_WAIT).min(opened + FIRST_WAIT_MOST).max(not_before);
                Phase::Gathering { opened, not_before, deadline }
            }
            Phase::Gathering { .. } => self.phase,
            Phase::Assigning | Phase::Stable => {
                Phase::Gathering { opened: now, not_before: now, deadline: now + patience }
            }
        };
        for seat in self.seats.values_mut() {
            answer(seat.sync.take(), Err(ResponseError::RebalanceInProgress));
        }
    }

    /// Begins the generation if everyone is there or the time is over.
    fn settle(&mut self, now: Instant) {
        let Phase::Gathering { not_before, deadline, .. } = self.phase else { return };
        let complete = now >= not_before && self.seats.values().all(|seat| seat.join.is_some());
        if !complete && now < deadline.max(not_before) {
            return;
        }
        self.seats.retain(|_, seat| seat.join.is_some());
        self.generation = self.generation.wrapping_add(1) & i32::MAX;
        if self.seats.is_empty() {
            self.phase = Phase::Empty;
            self.protocol = StrBytes::new();
            self.leader = StrBytes::new();
            return;
        }
        self.phase = Phase::Assigning;
        self.protocol = self.choose_protocol();
        if !self.seats.contains_key(&self.leader) {
            self.leader = self.seats.keys().next().cloned().unwrap_or_default();
        }
        let ids: Vec<StrBytes> = self.seats.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(seat) = self.seats.get_mut(&id) {
                seat.refresh(now);
                seat.assignment = Bytes::new();
                answer(seat.join.take(), Ok(joined));
            }
        }
    }

    /// The protocol most members like best among those that all of them have.
    fn choose_protocol(&self) -> StrBytes {
        let common =
            |name: &StrBytes| self.seats.values().all(|seat| seat.protocols.iter().any(|(own, _)| own == name));
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for seat in self.seats.values() {
            if let Some((name, _)) = seat.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn joined(&self, member_id: &StrBytes) -> Joined {
        let listed =
            |(id, seat): (&StrBytes, &Seat)| (id.clone(), seat.instance.clone(), seat.metadata(&self.protocol));
        let leads = *member_id == self.leader;
        Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: member_id.clone(),
            members: if leads { self.seats.iter().map(listed).collect() } else { Vec::new() },
        }
    }

    /// A member asks for its assignment; the leader brings everyone's.
    pub fn sync(&mut self, caller: Caller<'_>, given: Vec<(StrBytes, Bytes)>, now: Instant) -> Reception<SyncOutcome> {
        match self.check(caller).and_then(|()| self.assign(caller.member_id, given, now)) {
            Ok(reception) => reception,
            Err(error) => Reception::Now(Err(error)),
        }
    }

    fn assign(
        &mut self,
        member_id: &StrBytes,
        given: Vec<(StrBytes, Bytes)>,
        now: Instant,
    ) -> Result<Reception<SyncOutcome>, ResponseError> {
        match self.phase {
            Phase::Empty => return Err(ResponseError::UnknownMemberId),
            Phase::Gathering { .. } => return Err(ResponseError::RebalanceInProgress),
            Phase::Assigning if given.iter().any(|(_, assignment)| assignment.len() > MEMBER_BYTES) => {
                return Err(ResponseError::InvalidRequest);
            }
            Phase::Assigning if *member_id == self.leader => {
                for (id, assignment) in given {
                    if let Some(seat) = self.seats.get_mut(&id) {
                        seat.assignment = assignment;
                    }
                }
                self.phase = Phase::Stable;
                for seat in self.seats.values_mut() {
                    seat.refresh(now);
                    answer(seat.sync.take(), Ok(seat.assignment.clone()));
                }
            }
            Phase::Assigning | Phase::Stable => {}
        }
        let stable = self.phase == Phase::Stable;
        let seat = self.seats.get_mut(member_id).ok_or(ResponseError::UnknownMemberId)?;
        seat.refresh(now);
        if stable {
            return Ok(Reception::Now(Ok(seat.assignment.clone())));
        }
        let (sender, receiver) = oneshot::channel();
        seat.sync = Some(sender);
        Ok(Reception::Parked(receiver))
    }

    /// A sign of life; the error tells the member to join again.
    pub fn heartbeat(&mut self, caller: Caller<'_>, now: Instant) -> Result<(), ResponseError> {
        self.check(caller)?;
        if let Some(seat) = self.seats.get_mut(caller.member_id) {
            seat.refresh(now);
        }
        match self.phase {
            Phase::Gathering { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Assigning | Phase::Stable => Ok(()),
        }
    }

    /// Whether the caller may commit offsets: a member of this generation, or nobody's consumer while there are none.
    pub fn may_commit(&mut self, caller: Caller<'_>, now: Instant) -> Result<(), ResponseError> {
        if caller.generation < 0 && caller.member_id.is_empty() && self.seats.is_empty() {
            return Ok(());
        }
        self.check(caller)?;
        if let Some(seat) = self.seats.get_mut(caller.member_id) {
            seat.refresh(now);
        }
        if self.phase == Phase::Assigning { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    fn check(&self, caller: Caller<'_>) -> Result<(), ResponseError> {
        if self.instance_holder(caller.instance).is_some_and(|holder| holder != *caller.member_id) {
            return Err(ResponseError::FencedInstanceId);
        }
        if !self.seats.contains_key(caller.member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if caller.generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    fn instance_holder(&self, instance: Option<&StrBytes>) -> Option<StrBytes> {
        let instance = instance?;
        let holds = |(_, seat): &(&StrBytes, &Seat)| seat.instance.as_ref() == Some(instance);
        self.seats.iter().find(holds).map(|(id, _)| id.clone())
    }

    /// A member goes; named by id, or by instance when the id is empty.
    pub fn leave(
        &mut self,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let holder = self.instance_holder(instance);
        let member_id = match holder {
            Some(holder) if member_id.is_empty() || holder == *member_id => holder,
            Some(_) => return Err(ResponseError::FencedInstanceId),
            None => member_id.clone(),
        };
        if self.invited.remove(&member_id).is_some() {
            return Ok(());
        }
        if !self.unseat(&member_id, ResponseError::UnknownMemberId) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.after_departure(now);
        Ok(())
    }

    fn unseat(&mut self, member_id: &StrBytes, reason: ResponseError) -> bool {
        let Some(seat) = self.seats.remove(member_id) else { return false };
        answer(seat.join, Err(NotJoined { error: reason, member_id: member_id.clone() }));
        answer(seat.sync, Err(reason));
        true
    }

    fn after_departure(&mut self, now: Instant) {
        if self.phase != Phase::Empty {
            self.gather(now);
            self.settle(now);
        }
    }

    /// Removes who was silent too long and ends waits that are over. Called every now and then.
    pub fn expire(&mut self, now: Instant) {
        self.invited.retain(|_, lapses| *lapses > now);
        let before = self.seats.len();
        self.seats.retain(|_, seat| seat.parked() || seat.expires > now);
        if self.seats.len() < before {
            self.after_departure(now);
        } else {
            self.settle(now);
        }
    }

    /// The broker was away: connections and what was parked on them are gone, sessions begin anew.
    pub fn revive(&mut self, now: Instant) {
        for seat in self.seats.values_mut() {
            seat.join = None;
            seat.sync = None;
            seat.refresh(now);
        }
        if self.phase == Phase::Assigning {
            self.gather(now);
        }
    }
}

/// Answers a parked member, if it still waits.
fn answer<T>(parked: Option<oneshot::Sender<T>>, value: T) {
    if let Some(sender) = parked {
        // A member whose connection is gone is told by its session timeout.
        drop(sender.send(value));
    }
}

#[cfg(test)]
mod tests;
