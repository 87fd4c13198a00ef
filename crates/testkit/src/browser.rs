//! A Chromium without a window, driven over WebDriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::tools::tool;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    /// Open as long as the driver may print something.
    _lines: Option<BufReader<ChildStdout>>,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    /// Says that Chromium or its driver is not there, or does not start.
    pub fn start() -> Result<Self, String> {
        let has_chromium = tool("chromium").is_some();
        let driver = tool("chromedriver").filter(|_| has_chromium);
        let driver = driver.ok_or("no chromium with chromedriver")?;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("chromedriver: {why}"))?;
        let mut lines = driver.stdout.take().map(BufReader::new);
        let port = lines.as_mut().and_then(port);
        let Some(port) = port else {
            let _ = driver.kill();
            let _ = driver.wait();
            return Err("chromedriver says no port".to_owned());
        };
        let mut browser = Self {
            driver,
            _lines: lines,
            port,
            session: String::new(),
        };
        // As root Chromium has no sandbox; what it opens is ours.
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1200,900",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
        }}});
        let session = browser.ask("POST", "/session", &wanted)?;
        session["sessionId"]
            .as_str()
            .ok_or("no session")?
            .clone_into(&mut browser.session);
        Ok(browser)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Those of the browser.
    pub fn open(&self, path: &Path) -> Result<(), String> {
        let url = format!("file://{}", path.display());
        self.command("POST", "/url", &json!({ "url": url }))?;
        Ok(())
    }

    /// Returns what a script returns.
    ///
    /// # Errors
    /// Those of the browser and of the script.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.command(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Presses the mouse where the first element with this selector has this place, counted from
    /// its top left in pixels.
    ///
    /// # Errors
    /// Those of the browser.
    pub fn click(&self, selector: &str, place: Option<(i64, i64)>) -> Result<(), String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.command("POST", "/element", &wanted)?;
        let id = found.as_object().and_then(|found| found.values().next());
        let id = id.and_then(Value::as_str).ok_or("no element")?;
        let Some((x, y)) = place else {
            self.command("POST", &format!("/element/{id}/click"), &json!({}))?;
            return Ok(());
        };
        let corner = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); \
                      return [box.left, box.top];";
        let script = json!({"script": corner, "args": [selector]});
        let corner = self.command("POST", "/execute/sync", &script)?;
        let at = |nth: usize, more: i64| corner[nth].as_f64().unwrap_or_default() as i64 + more;
        let steps = json!([
            {"type": "pointerMove", "duration": 0, "x": at(0, x), "y": at(1, y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]);
        let mouse = json!({"actions": [{"type": "pointer", "id": "mouse", "actions": steps}]});
        self.command("POST", "/actions", &mouse)?;
        Ok(())
    }

    /// Types a text into the first element with this selector.
    ///
    /// # Errors
    /// Those of the browser.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<(), String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.command("POST", "/element", &wanted)?;
        let id = found.as_object().and_then(|found| found.values().next());
        let id = id.and_then(Value::as_str).ok_or("no element")?;
        self.command(
            "POST",
            &format!("/element/{id}/value"),
            &json!({ "text": text }),
        )?;
        Ok(())
    }

    /// Returns a picture of the window, as a PNG.
    ///
    /// # Errors
    /// Those of the browser.
    pub fn screenshot(&self) -> Result<Vec<u8>, String> {
        let picture = self.command("GET", "/screenshot", &json!({}))?;
        let text = picture.as_str().ok_or("no picture")?;
        base64(text).ok_or_else(|| "the picture is no base64".to_owned())
    }

    /// Sets the size of the window in pixels.
    ///
    /// # Errors
    /// Those of the browser.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), String> {
        let wanted = json!({"width": width, "height": height});
        self.command("POST", "/window/rect", &wanted)?;
        Ok(())
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.exchange(method, path, body);
        let answer = answer.map_err(|why| format!("{method} {path}: {why}"))?;
        let mut answer: Value =
            serde_json::from_slice(&answer).map_err(|why| format!("{method} {path}: {why}"))?;
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{method} {path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    /// One connection for each request, closed by the driver.
    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Vec<u8>> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let mut length = None;
        loop {
            let mut line = String::new();
            if answer.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => {
                body.resize(length, 0);
                answer.read_exact(&mut body)?;
            }
            None => {
                answer.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.command("DELETE", "", &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Decodes base64 (RFC 4648, section 4).
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// Returns the port that the driver says it listens on.
fn port(lines: &mut BufReader<ChildStdout>) -> Option<u16> {
    for line in lines.lines().map_while(Result::ok) {
        // A line before it says the port that was asked for, which is 0: any.
        if let Some((_, port)) = line.rsplit_once("successfully on port ") {
            return port.trim_end_matches('.').parse().ok();
        }
    }
    None
}
