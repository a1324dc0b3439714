//! A router that a test holds in its hands.

mod home;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::ports::router_link::{
    HeldSession, LinkProtocol, Probed, RouterCommand, RouterFailure, RouterLink, RouterReply,
    RouterTarget, Rule,
};
use gatehouse_router_protocol::legacy_v1::session_id_of;
use tokio::{sync::oneshot, time::sleep};
use uuid::Uuid;

use crate::house::{GLANCE, HOME};

/// How far its clock is ahead.
pub(crate) const CLOCK_DIFFERENCE_MS: i64 = 2_500;

/// Keeps its rules in a map and can be away, silent, lose its answer, or die between. It plays a
/// router at each address that it is spoken to.
#[derive(Default)]
pub(crate) struct HandRouter {
    rules: Mutex<BTreeMap<Uuid, (String, HeldSession)>>,
    away: Mutex<BTreeSet<String>>,
    silence: Mutex<Duration>,
    asked: AtomicUsize,
    answers_get_lost: AtomicBool,
    refuses: AtomicBool,
    is_busy: AtomicBool,
    fails_inside: AtomicBool,
    probes_wait: AtomicBool,
    is_original: AtomicBool,
    before: Gate,
    after: Gate,
    /// What is up in its LAN, and how long that takes.
    up: Mutex<BTreeMap<SocketAddr, i64>>,
    probed: AtomicUsize,
    /// Where its name leads, when that is not what the name says.
    public_ip: Mutex<Option<IpAddr>>,
    woken: Mutex<Vec<[u8; 6]>>,
    /// Addresses and tokens that a home backend was called with.
    called: Mutex<Vec<(String, String)>>,
}

/// Holds the next command that comes along until the test drops what `shut` answered.
#[derive(Default)]
struct Gate(Mutex<Option<oneshot::Receiver<()>>>);

impl Gate {
    fn shut(&self) -> oneshot::Sender<()> {
        let (held, released) = oneshot::channel();
        *self.0.lock().expect("no panic while held") = Some(released);
        held
    }

    async fn pass(&self) {
        let released = self.0.lock().expect("no panic while held").take();
        if let Some(released) = released {
            released.await.expect_err("it is dropped");
        }
    }

    async fn is_reached(&self) {
        while self.0.lock().expect("no panic while held").is_some() {
            sleep(GLANCE).await;
        }
    }
}

impl HandRouter {
    pub(crate) fn rules(&self) -> Vec<(Uuid, u32)> {
        let rules = self.rules.lock().expect("no panic while held");
        rules
            .iter()
            .map(|(id, (_, held))| (*id, u32::try_from(held.remaining_ms / 1000).expect("fits")))
            .collect()
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.set_away_at(HOME, away);
    }

    pub(crate) fn set_away_at(&self, address: &str, away: bool) {
        let mut addresses = self.away.lock().expect("no panic while held");
        if away {
            addresses.insert(address.to_owned());
        } else {
            addresses.remove(address);
        }
    }

    /// From now on it takes no command, and whoever sends one learns that only after so long.
    pub(crate) fn fall_silent(&self, silence: Duration) {
        *self.silence.lock().expect("no panic while held") = silence;
    }

    /// From now on it obeys, but nobody hears so.
    pub(crate) fn lose_answers(&self) {
        self.answers_get_lost.store(true, Ordering::SeqCst);
    }

    /// From now on its name leads there.
    pub(crate) fn stands_at(&self, ip: IpAddr) {
        *self.public_ip.lock().expect("no panic while held") = Some(ip);
    }

    /// Answers again.
    pub(crate) fn find_its_voice(&self) {
        self.answers_get_lost.store(false, Ordering::SeqCst);
        self.fall_silent(Duration::ZERO);
        self.set_away(false);
    }

    /// Keeps the next thing to let in or to prolong waiting before it is done.
    pub(crate) fn hold_next(&self) -> oneshot::Sender<()> {
        self.before.shut()
    }

    /// Keeps the answer to the next thing that is let in or prolonged waiting after it is done.
    pub(crate) fn hold_next_answer(&self) -> oneshot::Sender<()> {
        self.after.shut()
    }

    /// Waits until somebody stands before each closed gate.
    pub(crate) async fn is_waited_for(&self) {
        self.before.is_reached().await;
        self.after.is_reached().await;
    }

    /// From now on this port of its LAN answers, after so long.
    pub(crate) fn set_up(&self, port: SocketAddr, latency_ms: i64) {
        let mut up = self.up.lock().expect("no panic while held");
        up.insert(port, latency_ms);
    }

    /// Which hosts it was told to wake.
    pub(crate) fn woken(&self) -> Vec<[u8; 6]> {
        self.woken.lock().expect("no panic while held").clone()
    }

    /// How many ports it was asked about.
    pub(crate) fn probed(&self) -> usize {
        self.probed.load(Ordering::SeqCst)
    }

    /// How many commands came, done or not.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// From now on it lets nobody in and looks at no port, and says so.
    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::SeqCst);
    }

    /// From now on it never says whether a port answers.
    pub(crate) fn keep_probes_waiting(&self) {
        self.probes_wait.store(true, Ordering::SeqCst);
    }

    /// From now on it lets nobody in, and says that this will pass; or it has passed.
    pub(crate) fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::SeqCst);
    }

    /// From now on it lets in and then says that something failed inside it.
    pub(crate) fn fail_inside(&self) {
        self.fails_inside.store(true, Ordering::SeqCst);
    }

    /// From now on it does not tell what it holds, like an original daemon.
    pub(crate) fn become_original(&self) {
        self.is_original.store(true, Ordering::SeqCst);
    }

    /// Loses every rule, like a kernel whose tables were emptied.
    pub(crate) fn lose_rules(&self) {
        self.rules.lock().expect("no panic while held").clear();
    }

    /// Lets the time of every rule run, as a kernel does.
    pub(crate) fn pass_ms(&self, by_ms: i64) {
        let mut rules = self.rules.lock().expect("no panic while held");
        for (_, held) in rules.values_mut() {
            held.remaining_ms -= by_ms;
        }
        rules.retain(|_, (_, held)| held.remaining_ms > 0);
    }

    /// Counts what went through a rule since it was made.
    pub(crate) fn count(&self, id: Uuid, traffic_bytes: i64) {
        let mut rules = self.rules.lock().expect("no panic while held");
        let (_, held) = rules.get_mut(&id).expect("there is such a rule");
        held.traffic_bytes = Some(traffic_bytes);
    }

    /// The rule as it is held.
    pub(crate) fn held(&self, id: Uuid) -> Option<HeldSession> {
        let rules = self.rules.lock().expect("no panic while held");
        rules.get(&id).map(|(_, held)| *held)
    }

    /// Lets somebody in as if the portal had asked.
    pub(crate) fn let_in(&self, address: &str, rule: Rule, seconds: u32) {
        let added = self.obey(address, RouterCommand::Add(rule, seconds));
        added.expect("nothing speaks against it");
    }

    fn answer(&self, target: &RouterTarget) -> Result<(), RouterFailure> {
        let away = self.away.lock().expect("no panic while held");
        if away.contains(&target.address) {
            return Err(unreachable());
        }
        Ok(())
    }

    async fn hear(&self, target: &RouterTarget) -> Result<(), RouterFailure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let silence = *self.silence.lock().expect("no panic while held");
        if target.address == HOME && !silence.is_zero() {
            sleep(silence).await;
            return Err(unreachable());
        }
        self.answer(target)
    }

    /// Answers what was counted on a rule that it takes away.
    fn obey(&self, address: &str, command: RouterCommand) -> Result<Option<i64>, RouterFailure> {
        let mut rules = self.rules.lock().expect("no panic while held");
        match command {
            RouterCommand::Add(..) | RouterCommand::Extend(..)
                if self.is_busy.load(Ordering::SeqCst) =>
            {
                return Err(RouterFailure::NotNow("It is busy.".into()));
            }
            RouterCommand::Add(..) if self.refuses.load(Ordering::SeqCst) => {
                return Err(RouterFailure::Refused("It is full.".into()));
            }
            RouterCommand::Add(rule, seconds) => {
                let remaining_ms = i64::from(seconds) * 1000;
                let held = HeldSession {
                    rule,
                    remaining_ms,
                    traffic_bytes: None,
                };
                rules.insert(rule.session_id, (address.to_owned(), held));
            }
            RouterCommand::Extend(rule, seconds) => {
                let (_, held) = rules
                    .get_mut(&rule.session_id)
                    .ok_or_else(|| RouterFailure::Refused("There is no such session.".into()))?;
                held.remaining_ms = i64::from(seconds) * 1000;
            }
            RouterCommand::Del(rule) => {
                let removed = rules.remove(&rule.session_id);
                return Ok(removed.and_then(|(_, held)| held.traffic_bytes));
            }
            RouterCommand::Ping => {}
        }
        Ok(None)
    }
}

/// The id that our own daemon gives a rule when it is spoken to in the original's protocol.
pub(crate) fn door_of(rule: &Rule) -> Uuid {
    session_id_of(rule.client_ip, rule.public_port, rule.lan_ip)
}

/// An original daemon hears no ids, and to prolong is to open again.
fn as_heard(target: &RouterTarget, command: RouterCommand) -> RouterCommand {
    if target.protocol != LinkProtocol::Original {
        return command;
    }
    let at_door = |rule: Rule| Rule {
        session_id: door_of(&rule),
        ..rule
    };
    match command {
        RouterCommand::Add(rule, seconds) | RouterCommand::Extend(rule, seconds) => {
            RouterCommand::Add(at_door(rule), seconds)
        }
        RouterCommand::Del(rule) => RouterCommand::Del(at_door(rule)),
        RouterCommand::Ping => RouterCommand::Ping,
    }
}

fn unreachable() -> RouterFailure {
    RouterFailure::Unreachable("The router does not answer.".into())
}

#[async_trait]
impl RouterLink for HandRouter {
    async fn send(
        &self,
        target: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure> {
        self.hear(target).await?;
        let lets_in = matches!(command, RouterCommand::Add(..) | RouterCommand::Extend(..));
        if lets_in {
            self.before.pass().await;
        }
        let traffic_bytes = self.obey(&target.address, as_heard(target, command))?;
        if lets_in {
            self.after.pass().await;
            if self.fails_inside.load(Ordering::SeqCst) {
                return Err(RouterFailure::Failed("Its firewall failed.".into()));
            }
        }
        if self.answers_get_lost.load(Ordering::SeqCst) {
            self.set_away(true);
            return Err(RouterFailure::Unsure("No answer came.".into()));
        }
        let mut reply = RouterReply {
            traffic_bytes,
            ..RouterReply::default()
        };
        if command == RouterCommand::Ping {
            reply.clock_difference_ms = Some(CLOCK_DIFFERENCE_MS);
            reply.version = Some("1.2.3".into());
            reply.backend = Some("nftables".into());
            let led_to = *self.public_ip.lock().expect("no panic while held");
            let named = target.address.parse().ok().map(|at: SocketAddr| at.ip());
            reply.reached_ip = led_to.or(named);
        }
        Ok(reply)
    }

    async fn list(&self, target: &RouterTarget) -> Result<Option<Vec<HeldSession>>, RouterFailure> {
        self.answer(target)?;
        if self.is_original.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let rules = self.rules.lock().expect("no panic while held");
        let here = rules
            .values()
            .filter(|(address, _)| *address == target.address);
        Ok(Some(here.map(|(_, held)| *held).collect()))
    }

    async fn probe(
        &self,
        target: &RouterTarget,
        port: SocketAddr,
    ) -> Result<Option<Probed>, RouterFailure> {
        self.probed.fetch_add(1, Ordering::SeqCst);
        if self.probes_wait.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.answer(target)?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(RouterFailure::Refused("It is full.".into()));
        }
        if self.is_original.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let up = self.up.lock().expect("no panic while held");
        Ok(Some(up.get(&port).map_or(Probed::Down, |latency_ms| {
            Probed::Up {
                latency_ms: *latency_ms,
            }
        })))
    }

    async fn wake(&self, target: &RouterTarget, mac: [u8; 6]) -> Result<(), RouterFailure> {
        self.answer(target)?;
        self.woken.lock().expect("no panic while held").push(mac);
        Ok(())
    }
}
