//! The same seed gives the same run, in this process and in any other.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    net::SocketAddr,
    process::Command,
    time::{Duration, SystemTime},
};

use rand::RngCore;
use simulator::{
    determinism::{Simulation, simulate, wall_time},
    net::{Death, HostId, Net},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

/// Set in the child processes of these tests: the seed to run.
const CHILD: &str = "SIMULATOR_TEST_SEED";

fn run(seed: u64) -> u64 {
    simulate(seed, async |simulation| {
        busy_world(&simulation).await;
        simulation
            .trace
            .record("end", format_args!("{} packets", simulation.net.packets()));
        simulation.trace.hash()
    })
    .unwrap()
}

/// Clients and servers that die and come back, and every source of chance that libraries use.
async fn busy_world(simulation: &Simulation) {
    let net = &simulation.net;
    let servers: Vec<HostId> = (0..3)
        .map(|number| net.add_host(&format!("server-{number}")).unwrap())
        .collect();
    servers.iter().for_each(|server| serve(simulation, *server));
    for number in 0..4 {
        let client = net.add_host(&format!("client-{number}")).unwrap();
        let (inside, servers) = (simulation.clone(), servers.clone());
        net.spawn(
            client,
            Box::pin(async move { ask_around(&inside, client, &servers).await }),
        );
    }
    let mut random = simulation.seed.stream("faults");
    for round in 0..20 {
        sleep(Duration::from_millis(50 + random.next_u64() % 50)).await;
        let victim = servers[round % servers.len()];
        net.kill(
            victim,
            if round % 2 == 0 {
                Death::Process
            } else {
                Death::Node
            },
        );
        sleep(Duration::from_millis(20)).await;
        serve(simulation, victim);
        entropy(simulation);
    }
}

fn serve(simulation: &Simulation, host: HostId) {
    let inside = simulation.clone();
    let server = async move {
        let mut listener = inside.net.bind(host, 80).await.unwrap();
        while let Ok((mut stream, peer)) = listener.accept().await {
            inside.trace.record("server", peer);
            tokio::spawn(async move {
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let _ = stream.write_all(&buffer[..length]).await;
                }
            });
        }
    };
    simulation.net.spawn(host, Box::pin(server));
}

async fn ask_around(simulation: &Simulation, client: HostId, servers: &[HostId]) {
    loop {
        for server in servers {
            let address = SocketAddr::new(simulation.net.ip(*server), 80);
            let asked = timeout(Duration::from_millis(30), ask(simulation, client, address)).await;
            let outcome = match asked {
                Ok(Ok(())) => "answered".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
            let who = format_args!("client {client:?}").to_string();
            simulation
                .trace
                .record(who, format_args!("{address} {outcome}"));
            sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn ask(simulation: &Simulation, client: HostId, server: SocketAddr) -> std::io::Result<()> {
    let mut stream = simulation.net.connect(client, server).await?;
    let mut answer = [0; 4];
    for _ in 0..3 {
        stream.write_all(b"ping").await?;
        stream.read_exact(&mut answer).await?;
        sleep(Duration::from_millis(u64::from(fastrand::u8(1..9)))).await;
    }
    Ok(())
}

/// One line that differs whenever one of the sources is not under control.
fn entropy(simulation: &Simulation) {
    let words = [
        "one", "two", "three", "four", "five", "six", "seven", "eight",
    ];
    let std_order: Vec<_> = words
        .into_iter()
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    let ahash_order: HashMap<_, _, ahash::RandomState> =
        words.iter().map(|word| (*word, 0)).collect();
    let ahash_order: Vec<_> = ahash_order.into_keys().collect();
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let (now, drawn) = (
        jiff::Timestamp::now(),
        (RandomState::new().hash_one(0), fastrand::u64(..)),
    );
    let line = format!("{std_order:?} {ahash_order:?} {since_epoch:?} {now} {drawn:?}");
    simulation.trace.record("entropy", line);
}

fn run_in_another_process(seed: u64) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, seed.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let hash = text.lines().find_map(|line| line.strip_prefix("hash "));
    hash.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

/// What [`run_in_another_process`] starts; passes by itself.
#[test]
fn child_process() {
    if let Ok(seed) = std::env::var(CHILD) {
        println!("\nhash {}", run(seed.parse().unwrap()));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    for seed in [1, 2, 3] {
        let there = run_in_another_process(seed);
        assert_eq!(
            there,
            run_in_another_process(seed),
            "two other processes, seed {seed}"
        );
        assert_eq!(
            there,
            run(seed),
            "another process and this one, seed {seed}"
        );
    }
}

#[test]
fn twenty_seeds_give_twenty_traces() {
    let hashes: BTreeSet<u64> = (0..20).map(run).collect();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn simulations_in_parallel_threads_do_not_disturb_each_other() {
    let alone = run(7);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| run(7))).collect();
        for parallel in runs {
            assert_eq!(parallel.join().unwrap(), alone);
        }
    });
}

#[test]
fn clocks_of_libraries_show_simulated_time() {
    simulate(1, async |simulation| {
        sleep(Duration::from_secs(3600)).await;
        // The body is polled outside any task; tasks are where libraries live.
        let seen = tokio::spawn(async { jiff::Timestamp::now() })
            .await
            .unwrap();
        assert_eq!(seen, simulation.clock.now());
        assert_eq!(seen.to_string(), "2026-01-01T01:00:00Z");
    })
    .unwrap();
}

#[test]
fn an_idle_world_costs_nothing() {
    let before = wall_time();
    let packets = simulate(1, async |simulation| {
        for number in 0..40 {
            let host = simulation.net.add_host(&format!("host-{number}")).unwrap();
            serve(&simulation, host);
        }
        sleep(Duration::from_secs(10_000 * 3600)).await;
        simulation.net.packets()
    });
    assert_eq!(packets.unwrap(), 0);
    let took = wall_time() - before;
    assert!(
        took < Duration::from_secs(1),
        "ten thousand idle hours took {took:?}"
    );
}

#[test]
fn a_kill_leaves_no_task_behind() {
    simulate(1, async |simulation| {
        let net = &simulation.net;
        let server = net.add_host("server").unwrap();
        let client = net.add_host("client").unwrap();
        serve(&simulation, server);
        let inside = simulation.clone();
        net.spawn(
            client,
            Box::pin(async move { ask_around(&inside, client, &[server]).await }),
        );
        for round in 0..100 {
            sleep(Duration::from_millis(5)).await;
            net.kill(
                server,
                if round % 2 == 0 {
                    Death::Process
                } else {
                    Death::Node
                },
            );
            let now = tokio::time::Instant::now();
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(tokio::time::Instant::now(), now, "time passed");
            assert_eq!(
                (net.live_tasks(server), net.leftovers()),
                (0, vec![]),
                "kill {round}"
            );
            serve(&simulation, server);
        }
    })
    .unwrap();
}

#[test]
fn a_task_that_cannot_be_ended_is_counted() {
    simulate(1, async |simulation| {
        let host = simulation.net.add_host("host").unwrap();
        let stray = async {
            tokio::spawn(std::future::pending::<()>());
        };
        simulation.net.spawn(host, Box::pin(stray));
        sleep(Duration::from_millis(1)).await;
        simulation.net.kill(host, Death::Process);
        sleep(Duration::from_millis(1)).await;
        let texts: Vec<_> = simulation
            .net
            .leftovers()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, ["1 tasks outlived host host"]);
    })
    .unwrap();
}

#[test]
#[should_panic(expected = "a spawned task panicked")]
fn a_panic_in_a_task_fails_the_run() {
    let ran = simulate(1, async |simulation| {
        let host = simulation.net.add_host("host").unwrap();
        simulation
            .net
            .spawn(host, Box::pin(async { panic!("on purpose") }));
        sleep(Duration::from_secs(1)).await;
    });
    drop(ran);
}

#[test]
fn other_threads_keep_their_entropy_and_clocks() {
    simulate(1, async |_| ()).unwrap();
    let drawn: BTreeSet<u64> = (0..4)
        .map(|_| {
            std::thread::spawn(|| RandomState::new().hash_one(0))
                .join()
                .unwrap()
        })
        .collect();
    assert_eq!(drawn.len(), 4);
    let started = std::time::Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    assert!(started.elapsed() >= Duration::from_millis(2));
}
