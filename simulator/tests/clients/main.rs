//! Programs of others against `simulator serve`: Kubernetes' own Python client, and an operator
//! framework that neither knows of this simulation nor shares code with it.
//!
//! `PYTHON` names a Python with the packages `kubernetes` and `kopf`. Without it nothing runs here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

struct Serving {
    process: Child,
    folder: tempfile::TempDir,
}

impl Serving {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = Command::new(env!("CARGO_BIN_EXE_simulator"))
            .args(["serve", "--listen=127.0.0.1:0", "--kubeconfig"])
            .arg(folder.path().join("kubeconfig"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let serving = Self { process, folder };
        let began = Instant::now();
        let complete = |text: String| text.contains("users:");
        while !fs::read_to_string(serving.kubeconfig()).is_ok_and(complete) {
            assert!(began.elapsed() < Duration::from_secs(60), "no kubeconfig");
            sleep(Duration::from_millis(20));
        }
        serving
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program of this folder to its good end.
fn run(script: &str) {
    let Some(python) = std::env::var_os("PYTHON") else {
        println!("skipped: PYTHON names no Python with kubernetes and kopf");
        return;
    };
    let serving = Serving::start();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let output = Command::new(python)
        .arg(path.join(script))
        .env("KUBECONFIG", serving.kubeconfig())
        .output()
        .expect("Python starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{script} failed:\n{out}{err}");
}

#[test]
fn the_python_client_finds_the_common_verbs() {
    run("verbs.py");
}

#[test]
fn an_operator_of_another_framework_works() {
    run("framework.py");
}
