//! The brokers of one cluster and the connections to them: at most one each, and one for bootstrap.
//!
//! A batch of questions goes to all brokers that it concerns at the same time. A broker that fails rests for a
//! while, so that a dead one does not cost a time-out in every round, and its answer is its last trouble;
//! the answers of the others are not held back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::Request;
use tokio::time::Instant;

use super::properties::ClientProperties;
use super::trouble::Trouble;
use super::wire::{Access, Address, Connection};
use crate::source::link::backoff;

/// Metadata up to this version names topics, not their ids alone; from 10 on it has both.
const METADATA_NEWEST: i16 = 11;
/// Connections that are tried before a cluster counts as not answering.
const TRIES: usize = 4;
/// The place of the connection to a bootstrap address that is no broker's own.
const BOOTSTRAP: i32 = -1;

/// Brokers and connections of one cluster.
pub(super) struct Cluster {
    properties: Arc<ClientProperties>,
    patience: Duration,
    access: Option<Arc<Access>>,
    seeds: Vec<Address>,
    brokers: BTreeMap<i32, Address>,
    /// Connections that nobody uses at the moment, by broker.
    idle: HashMap<i32, Connection>,
    resting: HashMap<i32, Rest>,
    /// Counts fresh connections, so that each attempt begins with another address.
    turn: usize,
}

struct Rest {
    until: Instant,
    failures: u32,
    trouble: Trouble,
}

/// What a broker said to a batch of questions.
pub(super) struct Answer<B, A> {
    /// What was asked.
    pub about: B,
    /// Answers in the order of the requests that were built.
    pub result: Result<Vec<A>, Trouble>,
}

struct Errand<B> {
    broker: i32,
    about: B,
    line: Option<Connection>,
    address: Address,
}

impl Cluster {
    /// A cluster whose brokers get so long for an answer.
    pub(super) fn new(properties: Arc<ClientProperties>, patience: Duration) -> Self {
        let seeds = Address::parse_list(properties.bootstrap());
        Self {
            properties,
            patience,
            access: None,
            seeds,
            brokers: BTreeMap::new(),
            idle: HashMap::new(),
            resting: HashMap::new(),
            turn: 0,
        }
    }

    /// Numbers of the brokers that the cluster last named.
    pub(super) fn brokers(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    /// Where the brokers listen that the cluster last named.
    pub(super) const fn addresses(&self) -> &BTreeMap<i32, Address> {
        &self.brokers
    }

    /// Whether every broker that the cluster names failed when it was last asked.
    pub(super) fn nobody_is_reachable(&self) -> bool {
        self.brokers.keys().all(|broker| self.resting.contains_key(broker))
    }

    /// Forgets failures and reads certificates and tokens anew: the next question is a fresh attempt.
    pub(super) fn start_over(&mut self) {
        self.access = None;
        self.resting.clear();
    }

    /// Asks any broker for metadata. Fails when none answers.
    pub(super) async fn metadata(&mut self, request: &MetadataRequest) -> Result<MetadataResponse, Trouble> {
        let mut trouble = Trouble::NoBroker;
        let ready: Vec<i32> = self.idle.keys().copied().take(2).collect();
        for broker in ready {
            let Some(mut line) = self.idle.remove(&broker) else { continue };
            match line.call(request, METADATA_NEWEST).await {
                Ok(answer) => {
                    self.idle.insert(broker, line);
                    self.learn(&answer);
                    return Ok(answer);
                }
                Err(error) => trouble = error,
            }
        }
        let access = self.access().await?;
        // A broker that was silent just now would be silent again: whoever waits is told at once instead.
        let resting = self.resting.values().map(|rest| &rest.trouble);
        trouble = resting.into_iter().find(|known| known.is_silence()).cloned().unwrap_or(trouble);
        for address in self.candidates() {
            match ask_afresh(&address, &access, request).await {
                Ok((line, answer)) => {
                    self.learn(&answer);
                    let owner = self.brokers.iter().find(|(_, known)| **known == address).map(|(id, _)| *id);
                    self.idle.insert(owner.unwrap_or(BOOTSTRAP), line);
                    return Ok(answer);
                }
                Err(error) => trouble = error,
            }
            if trouble.is_everywhere() {
                break;
            }
        }
        self.access = None;
        Err(trouble)
    }

    /// Asks many brokers at once. `build` makes the requests of a batch for the version that a broker knows.
    pub(super) async fn ask<R, B, F>(
        &mut self,
        batches: Vec<(i32, B)>,
        newest: i16,
        build: F,
    ) -> Vec<Answer<B, R::Response>>
    where
        R: Request + Send + Sync,
        R::Response: Send + 'static,
        B: Send + Sync,
        F: Fn(&B, i16) -> Vec<R> + Sync + Send,
    {
        let mut answers = Vec::with_capacity(batches.len());
        let access = match self.access().await {
            Ok(access) => access,
            Err(trouble) => {
                return batches.into_iter().map(|(_, about)| Answer { about, result: Err(trouble.clone()) }).collect();
            }
        };
        let mut errands = Vec::with_capacity(batches.len());
        for (broker, about) in batches {
            match self.ready(broker) {
                Ok(address) => errands.push(Errand { broker, about, line: self.idle.remove(&broker), address }),
                Err(trouble) => answers.push(Answer { about, result: Err(trouble) }),
            }
        }
        let running = errands.into_iter().map(|errand| run::<R, B, F>(errand, &access, newest, &build));
        for (errand, result) in join_all(running).await {
            self.note(errand.broker, errand.line, result.as_ref().err());
            answers.push(Answer { about: errand.about, result });
        }
        answers
    }

    /// The broker's address, unless it is unknown or rests.
    fn ready(&self, broker: i32) -> Result<Address, Trouble> {
        match self.resting.get(&broker) {
            Some(rest) if Instant::now() < rest.until => Err(rest.trouble.clone()),
            _ => self.brokers.get(&broker).cloned().ok_or(Trouble::NoBroker),
        }
    }

    fn note(&mut self, broker: i32, line: Option<Connection>, trouble: Option<&Trouble>) {
        if let Some(line) = line {
            self.idle.insert(broker, line);
            self.idle.remove(&BOOTSTRAP);
        }
        match trouble {
            None | Some(Trouble::NotOffered { .. }) => {
                self.resting.remove(&broker);
            }
            Some(trouble) => {
                let failures = self.resting.get(&broker).map_or(0, |rest| rest.failures.saturating_add(1));
                let until = Instant::now() + backoff(failures);
                self.resting.insert(broker, Rest { until, failures, trouble: trouble.clone() });
            }
        }
    }

    /// How brokers are reached; read anew after a failure.
    pub(super) async fn access(&mut self) -> Result<Arc<Access>, Trouble> {
        if let Some(access) = &self.access {
            return Ok(access.clone());
        }
        let (properties, patience) = (self.properties.clone(), self.patience);
        let loading = tokio::task::spawn_blocking(move || Access::load(&properties, patience));
        let loaded = loading.await.map_err(|error| Trouble::LoginSetup { reason: error.to_string().into() })?;
        Ok(self.access.insert(Arc::new(loaded?)).clone())
    }

    /// Addresses worth a fresh connection: each attempt begins with another one.
    fn candidates(&mut self) -> Vec<Address> {
        let mut all: Vec<Address> = Vec::new();
        let silent = |address: &Address| {
            let owners = self.brokers.iter().filter(|(_, known)| *known == address).map(|(id, _)| id);
            owners.filter_map(|id| self.resting.get(id)).any(|rest| rest.trouble.is_silence())
        };
        for address in self.seeds.iter().chain(self.brokers.values()) {
            if !all.contains(address) && !silent(address) {
                all.push(address.clone());
            }
        }
        self.turn = self.turn.wrapping_add(1);
        let start = self.turn.checked_rem(all.len()).unwrap_or(0);
        all.rotate_left(start);
        all.truncate(TRIES);
        all
    }

    /// Takes over the brokers that an answer names, and forgets connections to places that are no longer theirs.
    fn learn(&mut self, answer: &MetadataResponse) {
        if answer.brokers.is_empty() {
            return;
        }
        let named: BTreeMap<i32, Address> = answer
            .brokers
            .iter()
            .filter_map(|broker| Some((broker.node_id.0, Address::new(&broker.host, u16::try_from(broker.port).ok()?))))
            .collect();
        let moved: HashSet<i32> =
            self.brokers.keys().filter(|id| self.brokers.get(id) != named.get(id)).copied().collect();
        for id in moved {
            self.idle.remove(&id);
            self.resting.remove(&id);
        }
        self.brokers = named;
    }
}

async fn ask_afresh(
    address: &Address,
    access: &Access,
    request: &MetadataRequest,
) -> Result<(Connection, MetadataResponse), Trouble> {
    let mut line = Connection::open(address, access).await?;
    let answer = line.call(request, METADATA_NEWEST).await?;
    Ok((line, answer))
}

/// Runs one errand; a connection that turns out to be gone is replaced once.
async fn run<R, B, F>(
    mut errand: Errand<B>,
    access: &Access,
    newest: i16,
    build: &F,
) -> (Errand<B>, Result<Vec<R::Response>, Trouble>)
where
    R: Request + Send + Sync,
    R::Response: Send + 'static,
    B: Send + Sync,
    F: Fn(&B, i16) -> Vec<R> + Sync,
{
    let reused = errand.line.is_some();
    let mut result = talk(&mut errand, access, newest, build).await;
    if reused && result.as_ref().is_err_and(Trouble::is_gone) {
        result = talk(&mut errand, access, newest, build).await;
    }
    (errand, result)
}

async fn talk<R, B, F>(
    errand: &mut Errand<B>,
    access: &Access,
    newest: i16,
    build: &F,
) -> Result<Vec<R::Response>, Trouble>
where
    R: Request + Send + Sync,
    R::Response: Send + 'static,
    B: Send + Sync,
    F: Fn(&B, i16) -> Vec<R> + Sync,
{
    let mut line = match errand.line.take() {
        Some(line) => line,
        None => Connection::open(&errand.address, access).await?,
    };
    let version = match line.version::<R>(newest) {
        Ok(version) => version,
        Err(trouble) => {
            errand.line = Some(line);
            return Err(trouble);
        }
    };
    let mut answers = Vec::new();
    for request in build(&errand.about, version) {
        answers.push(line.call(&request, version).await?);
    }
    errand.line = Some(line);
    Ok(answers)
}

/// Longest that one round of questions may take in all.
pub(super) const ROUND_LIMIT: Duration = Duration::from_secs(12);
