//! Commands on a node's machine.

use std::process::Output;

use crate::{
    cluster::Cluster,
    support::{EMAIL, Program, keygate},
};

/// Lists the accounts, without saying in which database, or in this one.
fn list(node: &Program, database: Option<&str>) -> Output {
    let mut command = keygate(node.folder());
    command.args(["account", "list", "--data"]).arg(node.data());
    if let Some(url) = database {
        command.args(["--database", url]);
    }
    command.output().expect("it runs")
}

#[track_caller]
fn assert_lists(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(EMAIL));
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_database_of_the_node_and_make_no_other() {
    let mut cluster = Cluster::start(1).await;
    assert_lists(&list(&cluster.nodes[0], None));
    // The node reaches it through a proxy. It is the same database all the same.
    let direct = cluster.server.url(&cluster.database, cluster.server.port());
    assert_lists(&list(&cluster.nodes[0], Some(&direct)));
    let other = cluster.server.create_database();
    let said = refused(&list(&cluster.nodes[0], Some(&other)));
    assert!(said.contains("Nothing was done"), "{said}");
    let said = refused(&list(&cluster.nodes[0], Some("keygate.db")));
    assert!(said.contains("Nothing was done"), "{said}");

    assert!(cluster.nodes[0].terminate().success());
    let said = refused(&list(&cluster.nodes[0], None));
    assert!(said.contains("no database is named"), "{said}");
    assert!(said.contains(&cluster.database), "{said}");
    assert_lists(&list(&cluster.nodes[0], Some(&direct)));
    assert!(!cluster.nodes[0].data().join("keygate.db").exists());
}
