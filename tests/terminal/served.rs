//! A server that leaks, and its clients.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use crate::{
    end_to_end::{Home, programs::program, pty::Terminal, wait_for},
    run,
};

/// The server of `tests/programs/sessions.cpp`, under the dashboard and under traffic.
pub struct Served {
    pub terminal: Terminal,
    connections: Vec<BufReader<TcpStream>>,
    served: usize,
    pub home: Home,
}

impl Served {
    /// `memtop run OPTIONS -- sessions`, with a client on either of two connections.
    pub fn start(size: (u16, u16), options: &[&str]) -> Self {
        let home = Home::new();
        let (server, port_file) = (program("sessions.cpp"), home.path("port"));
        let line = [server.to_str().unwrap(), port_file.to_str().unwrap()];
        let terminal = Terminal::start(size, run(&home, options, &line));
        let port = wait_for("a port", || home.read("port")?.strip_suffix('\n')?.parse().ok());
        let connect = |_| BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        Self { terminal, connections: [0, 1].map(connect).into(), served: 0, home }
    }

    /// What the server answers to a request.
    pub fn ask(&mut self, request: &str) -> String {
        let count = self.connections.len();
        let connection = &mut self.connections[self.served % count];
        connection.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_line(&mut answer).unwrap();
        answer.trim_end().strip_prefix("OK").expect("it is served").trim_start().to_owned()
    }

    /// Sessions from login to logout, one after the other.
    pub fn serve(&mut self, sessions: usize) {
        for _ in 0..sessions {
            let id = self.ask(&format!("LOGIN user{}", self.served % 10));
            self.ask(&format!("SET {id} theme as-dark-as-a-theme-can-be"));
            assert_eq!(self.ask(&format!("GET {id} theme")), "as-dark-as-a-theme-can-be");
            self.ask(&format!("LOGOUT {id}"));
            self.served += 1;
        }
    }

    /// Ends the server, and then the dashboard.
    pub fn end(&mut self) {
        self.connections[0].get_mut().write_all(b"SHUTDOWN\n").unwrap();
        self.terminal.wait_for("ended: exit 0");
        self.terminal.press("q");
    }
}
