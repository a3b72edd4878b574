//! Colleagues on the network: another machine, which knows this one by its address or a name.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU8, Ordering},
};

use crate::{
    browser::{Browser, Options},
    person::Person,
    support::{EMAIL, Program, Spawn, Upstream, free_port},
};

const README: &str = include_str!("../../../../README.md");
/// What the README calls this machine.
const NAME: &str = "gpubox";

/// Another machine on a network with this one: a network namespace.
pub struct Machine {
    namespace: String,
    pub address: Ipv4Addr,
    /// This machine's address on that network.
    gateway: Ipv4Addr,
    hosts: PathBuf,
}

impl Machine {
    /// One that knows this one by a name.
    fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let namespace = format!("kg{pid}n{number}");
        let net = |last| Ipv4Addr::new(10, 213, pid.to_le_bytes()[0].wrapping_add(number), last);
        let (gateway, address) = (net(1), net(2));
        let hosts = PathBuf::from("/etc/netns").join(&namespace);
        std::fs::create_dir_all(&hosts).expect("this test has to be run by root");
        let names = format!("127.0.0.1 localhost\n{gateway} {NAME}\n");
        std::fs::write(hosts.join("hosts"), names).expect("written");
        let machine = Self {
            namespace: namespace.clone(),
            address,
            gateway,
            hosts,
        };
        let link = format!("{namespace}h");
        ip(&format!("netns add {namespace}"));
        ip(&format!(
            "link add {link} type veth peer name eth0 netns {namespace}"
        ));
        ip(&format!("addr add {gateway}/24 dev {link}"));
        ip(&format!("link set {link} up"));
        ip(&format!("-n {namespace} addr add {address}/24 dev eth0"));
        ip(&format!("-n {namespace} link set eth0 up"));
        ip(&format!("-n {namespace} link set lo up"));
        machine
    }

    /// A command that runs on it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    fn output(&self, lines: &str) -> String {
        let output = self.command("sh").args(["-c", lines]).output();
        let output = output.expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{lines}\n{complaint}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The other end of its link goes with it.
        let _ = Command::new("ip")
            .args(["netns", "del", &self.namespace])
            .status();
        let _ = std::fs::remove_dir_all(&self.hosts);
    }
}

fn ip(command: &str) {
    let output = Command::new("ip").args(command.split(' ')).output();
    let output = output.expect("iproute2 is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {command}: {complaint}");
}

/// What the README says is to be run, on a port that is free and before this upstream.
fn as_the_readme_says(port: u16, upstream: &Upstream) -> Spawn {
    let line = README
        .lines()
        .find(|line| line.contains("--listen 0.0.0.0"));
    let line = line.expect("a line for colleagues on the network");
    assert!(
        line.starts_with("keygate serve --listen 0.0.0.0:8080 --public-url "),
        "{line}"
    );
    let url = line
        .split(' ')
        .find(|word| word.contains(NAME))
        .expect("its name");
    Spawn {
        host: Some(Ipv4Addr::UNSPECIFIED.into()),
        port,
        args: vec![
            "--public-url".to_owned(),
            url.replace("8080", &port.to_string()),
        ],
        upstream: Some(upstream.url()),
        ..Spawn::default()
    }
}

/// From the first account to the first call, by the link that the program prints.
async fn first_account_and_first_call(machine: &Machine, program: &Program, origin: &str) {
    let browser = Browser::open_on(machine, origin, Options::default()).await;
    let ada = Person { browser };
    let mut links = program.greeting.split_whitespace();
    let link = links.find(|word| word.starts_with(&format!("{origin}/signup?token=")));
    ada.sign_up(link.expect("a link"), EMAIL).await;
    ada.browser.click("Create your first key").await;
    ada.browser.fill("Name", "Laptop").await;
    ada.browser.click("Create key").await;
    ada.browser.see("Copy it now.").await;
    // Where a page is not secure, browsers have no clipboard for scripts.
    ada.browser.click("Copy key").await;
    ada.browser.see("Copied").await;
    let call = ada.text_of("#curl-models").await;
    assert!(call.contains(&format!("{origin}/v1/")), "{call}");
    machine.output(&call);
    ada.browser.click("Done, I have copied it").await;
    ada.browser.see("Laptop").await;
    ada.nothing_was_amiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_knows_the_machine_by_the_name_that_the_readme_sets() {
    let machine = Machine::new();
    let upstream = Upstream::start().await;
    let port = free_port();
    let program = Program::start(as_the_readme_says(port, &upstream));
    let origin = format!("http://{NAME}:{port}");
    assert_eq!(program.url, origin);
    first_account_and_first_call(&machine, &program, &origin).await;
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_knows_the_machine_by_an_address_that_is_printed() {
    let machine = Machine::new();
    let upstream = Upstream::start().await;
    let port = free_port();
    let program = Program::start(Spawn {
        args: Vec::new(),
        ..as_the_readme_says(port, &upstream)
    });
    let origin = format!("http://{}:{port}", machine.gateway);
    assert!(program.greeting.contains(&origin), "{}", program.greeting);
    first_account_and_first_call(&machine, &program, &origin).await;
    assert_eq!(upstream.seen().len(), 1);
}
