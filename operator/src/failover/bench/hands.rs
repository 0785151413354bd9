//! What carries orders out: against the simulated API server, and fake pods.

use super::*;

impl Hands for Replica {
    fn leads(&self) -> bool {
        self.world().leads(self.me)
    }

    fn wall(&self) -> Timestamp {
        self.world().wall()
    }

    fn facts(&self, _: &ClusterKey, seals: &Seals) -> Option<Facts> {
        let world = self.world();
        let mut facts = Facts { resume: world.resume, ..Facts::default() };
        facts.leases = world.leases.iter().map(|(name, lease)| (name.clone(), seals.read(lease))).collect();
        for feed in &world.all.view.feeds {
            let epoch = feed.status.as_ref().and_then(|status| status.epoch);
            if let Some(epoch) = epoch {
                facts
                    .statuses
                    .insert(feed.uid().unwrap().parse().unwrap(), Epoch::new(epoch as u64).unwrap());
            }
        }
        let cordoned = |node: &str| world.cordoned.contains(node);
        let mut pods: Vec<_> = world.all.view.pods.iter().map(|pod| pod.as_ref().clone()).collect();
        for pod in &mut pods {
            // One node each.
            let node = format!("node-of-{}", pod.uid().unwrap());
            pod.spec.get_or_insert_default().node_name = Some(node);
        }
        facts.servers = pods.iter().filter_map(|pod| PodFacts::of(pod, cordoned)).collect();
        for place in 0..world.fronts.len() {
            let front = PodFacts {
                name: format!("front-{place}"),
                slot: "default-balancers".into(),
                images: Arc::default(),
                node: None,
                ip: Some(format!("10.0.1.{place}")),
                kubernetes: Kubernetes::Present,
                ready: true,
                draining: false,
                cordoned: false,
                ends: false,
                template: String::new(),
            };
            facts.balancers.insert(format!("front-{place}").parse().unwrap(), front);
        }
        Some(facts)
    }

    async fn reserve(&self, _: &ClusterKey, feed: &Member, from: Option<Epoch>, to: Epoch) -> Done {
        time::sleep(REQUEST).await;
        let mut world = self.world();
        world.requests += 1;
        let from = from.map(|it| it.get() as i64);
        if world.forbidden {
            return Done::Failed;
        }
        if world.epoch(&feed.name) != from || !world.does(self.me) {
            return Done::Stale;
        }
        let _ = world.version();
        for it in &mut world.all.view.feeds {
            if it.name_any() == feed.name {
                let mut new = it.as_ref().clone();
                new.status.get_or_insert_default().epoch = Some(to.get() as i64);
                *it = Arc::new(new);
            }
        }
        Done::Yes
    }

    async fn write_lease(&self, _: &ClusterKey, mut lease: Lease, version: Option<&str>) -> Done {
        time::sleep(REQUEST).await;
        let mut world = self.world();
        world.requests += 1;
        let name = lease.name_any();
        let there = world.leases.get(&name).and_then(kube::ResourceExt::resource_version);
        if world.forbidden {
            return Done::Failed;
        }
        if there.as_deref() != version || !world.does(self.me) {
            return Done::Stale;
        }
        lease.metadata.resource_version = Some(world.version());
        lease.metadata.uid = Some(format!("uid-of-{name}"));
        world.leases.insert(name, lease);
        Done::Yes
    }

    fn reconcile(&self, _: &ClusterKey) {
        self.world().touched.get_or_insert(Instant::now());
    }

    async fn delete_pod(&self, _: &ClusterKey, pod: &PodUid, _: &str) -> bool {
        time::sleep(REQUEST).await;
        let mut world = self.world();
        world.requests += 1;
        world.all.view.pods.retain(|it| it.uid().as_deref() != Some(pod.as_str()));
        let _ = world.version();
        true
    }

    fn own(&self, pod: &PodUid, ownership: Arc<Ownership>) {
        let mut world = self.world();
        if !world.does(self.me) {
            return;
        }
        let keys = world.keys();
        let Some(server) = world.servers.get_mut(pod).filter(|it| it.alive && !it.cut) else { return };
        let read = |text: &str| SignedGrant::from_bytes(&STANDARD.decode(text).unwrap()).unwrap();
        let mut news = false;
        for named in &ownership.grants {
            assert!(named.feed.is_some() != named.stream.is_some());
            let grant = read(&named.grant);
            if server.tenure.granted(&grant, &keys).is_ok_and(|new| new) {
                server.ready.insert(grant.claim().feed.clone(), Instant::now() + SOURCE);
                news = true;
            }
        }
        for grant in &ownership.revoked {
            news |= server.tenure.revoked(&read(grant), &keys).unwrap_or(false);
        }
        for (feed, epoch) in &ownership.cleared {
            news |= server.tenure.clear(&feed.parse().unwrap(), Epoch::new(*epoch).unwrap());
        }
        server.said &= !news;
    }

    fn fence(&self, balancer: &PodUid, fences: Vec<Fence>) {
        let mut world = self.world();
        if !world.does(self.me) {
            return;
        }
        let keys = world.keys();
        let place: usize = balancer.as_str().trim_start_matches("front-").parse().unwrap();
        let front = &mut world.fronts[place];
        for fence in fences {
            let signed = SignedGrant::from_bytes(&STANDARD.decode(&fence.grant).unwrap()).unwrap();
            let grant = keys.verify(&signed).unwrap();
            let floor = front.floors.entry(grant.feed.clone()).or_insert(grant.epoch);
            *floor = grant.epoch.max(*floor);
            front.said = false;
        }
    }

    fn vouch(&self, pod: &PodUid, _: Vouched) {
        if let Some(server) = self.world().servers.get_mut(pod) {
            server.vouched += 1;
        }
    }

    fn edges(&self, pod: &PodUid, edges: Arc<Edges>) {
        assert!(edges.edges.iter().all(|it| it.link.ends_with(":9100")));
        self.world().edges.insert(pod.clone());
    }

    async fn moved(&self, _: &ClusterKey, moved: Moved) {
        self.world().moved.push(moved);
    }

    fn found(&self, _: &ClusterKey, found: Found) {
        let mut world = self.world();
        let short = |found: &Found| {
            let drains: Vec<_> = found.drains.iter().map(|(pod, (left, _))| (pod.clone(), *left)).collect();
            (found.paused.is_some(), drains, found.guests.clone(), found.waits.clone())
        };
        if short(&world.found) != short(&found) {
            world.touched.get_or_insert(Instant::now());
        }
        world.found = found;
    }
}
