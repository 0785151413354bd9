//! What goes wrong.

use millrace_fencing::{Grant, id::PodUid};

use crate::{
    balancer::Balancer,
    operator::Operator,
    server,
    world::{Event, Message, Who, World},
};

impl World {
    pub fn fault(&mut self) {
        if self.now >= self.peace {
            return;
        }
        let servers = self.servers.len() as u64;
        let server = self.chance.within(0, servers) as usize;
        let node = self.chance.within(0, 3) as usize;
        match self.chance.within(0, 20) {
            0..=3 => self.kill(server),
            4 | 5 => self.cut(node),
            6 => {
                let other = self.chance.within(0, 4) as usize;
                self.blocked[node][other] = true;
                self.blocked[other][node] |= self.chance.percent(50);
            }
            7 | 8 => self.blocked = [[false; 4]; 4],
            9 => self.lose_node(node),
            10..=12 => {
                if let Some((leader, _)) = self.leader {
                    self.end(Who::Operator(leader), 3_000_000);
                }
            }
            13 | 14 => {
                let operator = self.chance.within(0, 2) as usize;
                self.operators[operator].paused_until = self.now + self.chance.within(100_000, 4_000_000);
            }
            15 => self.lease_is_deleted(),
            16 => self.servers[server].draining = self.chance.percent(70),
            17 => {
                let balancer = self.chance.within(0, 2) as usize;
                self.end(Who::Balancer(balancer), 1_500_000);
            }
            18 => self.slow = self.chance.percent(60),
            _ => self.forge(server),
        }
    }

    /// A process is killed: its kernel closes its connections.
    pub fn kill(&mut self, i: usize) {
        if !self.servers[i].alive {
            return;
        }
        let holder = self.servers[i].tenure.holder().clone();
        self.end(Who::Server(i), 3_000_000);
        let others = (0..2).map(Who::Operator).chain((0..2).map(Who::Balancer));
        for other in others.collect::<Vec<_>>() {
            self.send(Who::Server(i), other, Message::Reset(holder.clone()));
        }
    }

    pub fn cut(&mut self, node: usize) {
        for other in (0..4).filter(|other| *other != node) {
            self.blocked[node][other] = true;
            self.blocked[other][node] = true;
        }
    }

    pub fn lose_node(&mut self, node: usize) {
        let everybody = (0..2)
            .map(Who::Operator)
            .chain((0..self.servers.len()).map(Who::Server))
            .chain((0..2).map(Who::Balancer));
        for who in everybody.collect::<Vec<_>>() {
            if self.node(who) == node {
                self.end(who, 6_000_000);
            }
        }
    }

    pub fn end(&mut self, who: Who, back: u64) {
        if !self.alive(who) {
            return;
        }
        match who {
            Who::Operator(i) => self.operators[i].alive = false,
            Who::Server(i) => self.servers[i].alive = false,
            Who::Balancer(i) => self.balancers[i].alive = false,
        }
        let wait = self.chance.within(200_000, back);
        self.later(wait, Event::Restart(who));
    }

    pub fn restart(&mut self, who: Who) {
        if self.alive(who) || self.forever {
            return;
        }
        let life = self.life(who) + 1;
        match who {
            Who::Operator(i) => {
                let settings = self.operators[i].settings.clone();
                self.operators[i] = Operator::new(i, &settings, &mut self.chance);
                self.operators[i].life = life;
            }
            Who::Server(i) => {
                let pod = self.servers[i].pod.clone();
                self.servers[i].life = life;
                self.servers[i].start(pod, &self.settings, &mut self.chance);
                self.beat(i);
            }
            Who::Balancer(i) => {
                self.balancers[i] = Balancer::new(i, &mut self.chance);
                self.balancers[i].life = life;
            }
        }
        self.later(1000, Event::Wake(who, life));
    }

    /// A pod is deleted, and made anew under another UID, if its node hears of it.
    pub fn delete(&mut self, pod: &PodUid) {
        let Some(i) = self.servers.iter().position(|server| server.pod == *pod) else { return };
        if !self.reaches_api(Who::Server(i)) {
            return;
        }
        if self.servers[i].alive {
            self.kill(i);
        }
        let new = server::holder(i, self.servers[i].life + 1, 0).pod;
        self.servers[i].pod = new;
    }

    fn lease_is_deleted(&mut self) {
        let feed = self.feeds[self.chance.within(0, 2) as usize].clone();
        if let Some(stored) = self.api.get_mut(&feed) {
            match self.chance.within(0, 3) {
                0 => {
                    stored.lease = stored
                        .lease
                        .take()
                        .map(|lease| millrace_fencing::failover::LeaseSeen { sealed: false, ..lease })
                }
                _ => stored.lease = None,
            }
        }
    }

    /// A server says that it owns what it does not: with a grant of its own making, with another's, with one altered.
    fn forge(&mut self, i: usize) {
        let feed = self.feeds[self.chance.within(0, 2) as usize].clone();
        let (holder, now) = (self.servers[i].tenure.holder().clone(), self.servers[i].clock.at(self.now));
        let issued = self.checks.issued.iter().rfind(|((of, _), _)| *of == feed);
        let Some(((_, epoch), owner)) = issued.map(|(key, owner)| (key.clone(), owner.clone())) else {
            return;
        };
        let next = millrace_fencing::Epoch::new(epoch.get() + 1).unwrap();
        let forged = self.keys.forge(&Grant { feed: feed.clone(), holder: holder.clone(), epoch: next });
        let stolen = self.keys.sign(&Grant { feed: feed.clone(), holder: owner, epoch });
        let mut bytes = forged.to_bytes();
        let at = self.chance.within(0, bytes.len() as u64) as usize;
        bytes[at] ^= 1 << (self.chance.next() % 8);
        let altered = millrace_fencing::SignedGrant::from_bytes(&bytes).ok();
        for grant in [Some(forged), Some(stolen), altered].into_iter().flatten() {
            for b in 0..2 {
                let grants = vec![grant.clone()];
                let said = Message::Announce { holder: holder.clone(), sent: now, holdings: vec![], grants };
                self.send(Who::Server(i), Who::Balancer(b), said);
            }
        }
    }

    pub fn kill_for_good(&mut self, i: usize) {
        self.kill(i);
        self.forever = true;
    }

    pub fn lose_node_for_good(&mut self, node: usize) {
        self.lose_node(node);
        self.forever = true;
    }

    /// The end of all faults.
    pub fn calm_down(&mut self) {
        self.blocked = [[false; 4]; 4];
        self.slow = false;
        self.calm = true;
        for operator in &mut self.operators {
            operator.paused_until = operator.paused_until.min(self.now);
        }
    }
}
