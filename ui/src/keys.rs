//! Keys as bytes: what a terminal would send to the program for a key pressed here.
//!
//! The xterm conventions, as in its `ctlseqs` document: modifiers are a parameter `1 + shift + 2
//! alt + 4 ctrl`, and application cursor mode turns `ESC [` into `ESC O` for plain cursor keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const ESC: u8 = 0x1b;

/// The bytes of `key`; none for keys that terminals do not send.
pub fn encode(key: KeyEvent, application_cursor: bool) -> Vec<u8> {
    match key.code {
        KeyCode::Char(c) => character(c, key.modifiers),
        KeyCode::Enter => with_alt(b"\r", key.modifiers),
        KeyCode::Tab => with_alt(b"\t", key.modifiers),
        KeyCode::BackTab => b"\x1b[Z".to_vec(),
        KeyCode::Backspace if key.modifiers.contains(KeyModifiers::CONTROL) => {
            with_alt(b"\x08", key.modifiers)
        }
        KeyCode::Backspace => with_alt(b"\x7f", key.modifiers),
        KeyCode::Esc => with_alt(&[ESC], key.modifiers),
        KeyCode::Null => with_alt(&[0], key.modifiers),
        code => special(code, key.modifiers, application_cursor),
    }
}

/// Pasted text, bracketed when the program asked for it. An end bracket in the text is taken out,
/// because text after it would be read as typed.
pub fn encode_paste(text: &str, bracketed: bool) -> Vec<u8> {
    let text = text.replace("\r\n", "\r").replace('\n', "\r");
    if !bracketed {
        return text.into_bytes();
    }
    format!("\x1b[200~{}\x1b[201~", text.replace("\x1b[201~", "")).into_bytes()
}

fn with_alt(bytes: &[u8], modifiers: KeyModifiers) -> Vec<u8> {
    let mut sent = Vec::with_capacity(bytes.len() + 1);
    if modifiers.contains(KeyModifiers::ALT) {
        sent.push(ESC);
    }
    sent.extend_from_slice(bytes);
    sent
}

fn character(c: char, modifiers: KeyModifiers) -> Vec<u8> {
    if modifiers.contains(KeyModifiers::CONTROL)
        && let Some(byte) = control(c)
    {
        return with_alt(&[byte], modifiers);
    }
    with_alt(c.encode_utf8(&mut [0; 4]).as_bytes(), modifiers)
}

/// The control code of a character; the digits are those of a VT220.
fn control(c: char) -> Option<u8> {
    match c.to_ascii_lowercase() {
        c @ 'a'..='z' => Some(c as u8 - b'a' + 1),
        ' ' | '@' | '2' | '`' => Some(0),
        '[' | '3' => Some(0x1b),
        '\\' | '4' => Some(0x1c),
        ']' | '5' => Some(0x1d),
        '^' | '6' | '~' => Some(0x1e),
        '_' | '7' | '/' => Some(0x1f),
        '?' | '8' => Some(0x7f),
        _ => None,
    }
}

/// How a special key is spelt: a final letter, or a number before `~`.
enum Spelling {
    Cursor(char),
    Function(char),
    Number(u8),
}

fn spelling(code: KeyCode) -> Option<Spelling> {
    Some(match code {
        KeyCode::Up => Spelling::Cursor('A'),
        KeyCode::Down => Spelling::Cursor('B'),
        KeyCode::Right => Spelling::Cursor('C'),
        KeyCode::Left => Spelling::Cursor('D'),
        KeyCode::Home => Spelling::Cursor('H'),
        KeyCode::End => Spelling::Cursor('F'),
        KeyCode::F(n @ 1..=4) => Spelling::Function(char::from(b'P' + n - 1)),
        KeyCode::F(n @ 5..=12) => {
            Spelling::Number([15, 17, 18, 19, 20, 21, 23, 24][usize::from(n - 5)])
        }
        KeyCode::Insert => Spelling::Number(2),
        KeyCode::Delete => Spelling::Number(3),
        KeyCode::PageUp => Spelling::Number(5),
        KeyCode::PageDown => Spelling::Number(6),
        _ => return None,
    })
}

fn special(code: KeyCode, modifiers: KeyModifiers, application_cursor: bool) -> Vec<u8> {
    let Some(spelling) = spelling(code) else {
        return Vec::new();
    };
    let text = match (spelling, modifier_parameter(modifiers)) {
        (Spelling::Cursor(c), 1) if application_cursor => format!("\x1bO{c}"),
        (Spelling::Cursor(c), 1) => format!("\x1b[{c}"),
        (Spelling::Function(c), 1) => format!("\x1bO{c}"),
        (Spelling::Number(n), 1) => format!("\x1b[{n}~"),
        (Spelling::Cursor(c) | Spelling::Function(c), m) => format!("\x1b[1;{m}{c}"),
        (Spelling::Number(n), m) => format!("\x1b[{n};{m}~"),
    };
    text.into_bytes()
}

fn modifier_parameter(modifiers: KeyModifiers) -> u8 {
    let bit = |modifier, value| {
        if modifiers.contains(modifier) { value } else { 0 }
    };
    1 + bit(KeyModifiers::SHIFT, 1) + bit(KeyModifiers::ALT, 2) + bit(KeyModifiers::CONTROL, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelt_as_xterm_does() {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const CTRL: KeyModifiers = KeyModifiers::CONTROL;
        const ALT: KeyModifiers = KeyModifiers::ALT;
        const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
        let cases: &[(KeyCode, KeyModifiers, bool, &[u8])] = &[
            (KeyCode::Char('a'), NONE, false, b"a"),
            (KeyCode::Char('ä'), NONE, false, "ä".as_bytes()),
            (KeyCode::Char('A'), SHIFT, false, b"A"),
            (KeyCode::Char('c'), CTRL, false, b"\x03"),
            (KeyCode::Char(' '), CTRL, false, b"\x00"),
            (KeyCode::Char('x'), ALT, false, b"\x1bx"),
            (KeyCode::Char('x'), CTRL.union(ALT), false, b"\x1b\x18"),
            (KeyCode::Enter, NONE, false, b"\r"),
            (KeyCode::Backspace, NONE, false, b"\x7f"),
            (KeyCode::Backspace, CTRL, false, b"\x08"),
            (KeyCode::BackTab, SHIFT, false, b"\x1b[Z"),
            (KeyCode::Up, NONE, false, b"\x1b[A"),
            (KeyCode::Up, NONE, true, b"\x1bOA"),
            (KeyCode::Up, CTRL, true, b"\x1b[1;5A"),
            (KeyCode::Home, SHIFT, false, b"\x1b[1;2H"),
            (KeyCode::F(1), NONE, false, b"\x1bOP"),
            (KeyCode::F(5), NONE, false, b"\x1b[15~"),
            (KeyCode::F(12), CTRL, false, b"\x1b[24;5~"),
            (KeyCode::Delete, ALT, false, b"\x1b[3;3~"),
            (KeyCode::F(20), NONE, false, b""),
        ];
        for (code, modifiers, application, expected) in cases {
            let sent = encode(KeyEvent::new(*code, *modifiers), *application);
            assert_eq!(sent, *expected, "{code:?} {modifiers:?} {application}");
        }
    }

    #[test]
    fn a_paste_cannot_end_its_own_bracket() {
        assert_eq!(encode_paste("a\nb", false), b"a\rb");
        assert_eq!(encode_paste("a\x1b[201~b", true), b"\x1b[200~ab\x1b[201~");
    }
}
