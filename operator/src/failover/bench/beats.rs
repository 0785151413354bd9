//! What media pods tell every replica.

use super::*;

impl Bench {
    pub(super) fn beats(&self) {
        let now = Instant::now();
        let mut said = Vec::new();
        {
            let mut world = self.world();
            let World { servers, fronts, .. } = &mut *world;
            for (uid, server) in servers.iter_mut().filter(|(_, it)| it.alive && !it.cut) {
                let announced = server.announce(uid, fronts);
                let due = now >= server.beat || !server.said || announced;
                if due {
                    (server.beat, server.said) = (now + Duration::from_secs(1), true);
                    said.push((
                        uid.clone(),
                        (!server.joined).then(|| server.hello(uid)),
                        server.connection,
                        server.says(),
                    ));
                    server.joined = true;
                }
            }
        }
        for (uid, hello, connection, beat) in said {
            for guards in &self.replicas {
                if let Some(hello) = &hello {
                    guards.joined(Some(&key()), hello, connection);
                }
                guards.beat(Some(&key()), uid.as_str(), &beat);
            }
        }
    }

    pub(super) fn reports(&self) {
        let now = Instant::now();
        let mut said = Vec::new();
        for (place, front) in self.world().fronts.iter_mut().enumerate().filter(|(_, front)| front.up) {
            if front.beat.is_none_or(|due| now >= due) || !front.said {
                (front.beat, front.said) = (Some(now + Duration::from_secs(1)), true);
                said.push((place, !std::mem::replace(&mut front.joined, true), front.says()));
            }
        }
        for (place, joins, balancer) in said {
            let uid = format!("front-{place}");
            for guards in &self.replicas {
                if joins {
                    let hello = Hello {
                        uid: uid.clone(),
                        pod: uid.clone(),
                        role: Role::Balancer,
                        ..Hello::default()
                    };
                    guards.joined(Some(&key()), &hello, 1_000_000);
                }
                let beat = Beat { balancer: Some(balancer.clone()), ..Beat::default() };
                guards.beat(Some(&key()), &uid, &beat);
            }
        }
    }
}
