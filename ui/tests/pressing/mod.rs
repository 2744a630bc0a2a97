//! Keys as text, pressed one after the other.

#![allow(dead_code)]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use memtop_ui::data::Data;
use memtop_ui::{Effect, Screen, State, keymap, update};

/// Reads keys as vi writes them: plain characters, and `<Enter>`, `<C-c>` and the like.
pub fn keys(text: &str) -> Vec<KeyEvent> {
    let mut rest = text;
    let mut keys = Vec::new();
    while let Some(c) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|r| r.split_once('>'));
        let (code, modifiers) = match name {
            Some((name, after)) if !name.is_empty() => {
                rest = after;
                named(name)
            }
            _ => {
                rest = &rest[c.len_utf8()..];
                (KeyCode::Char(c), KeyModifiers::NONE)
            }
        };
        keys.push(KeyEvent::new(code, modifiers));
    }
    keys
}

pub fn named(name: &str) -> (KeyCode, KeyModifiers) {
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Backspace" => KeyCode::Backspace,
        "Down" => KeyCode::Down,
        "Up" => KeyCode::Up,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Space" => KeyCode::Char(' '),
        "lt" => KeyCode::Char('<'),
        other => {
            let c = other.strip_prefix("C-").and_then(|c| c.chars().next()).expect("a key");
            return (KeyCode::Char(c), KeyModifiers::CONTROL);
        }
    };
    (code, KeyModifiers::NONE)
}

/// Presses `text` on `screen` and returns the state and the effects that are more than a redraw.
pub fn press(screen: Screen, data: &Data, text: &str) -> (State, Vec<Effect>) {
    let mut state = State::new(screen, (80, 24));
    let mut effects = Vec::new();
    for key in keys(text) {
        let Some(action) = keymap::dispatch(&state, key) else {
            continue;
        };
        match update(&mut state, action, data) {
            Effect::None | Effect::Redraw => {}
            effect => effects.push(effect),
        }
    }
    (state, effects)
}

pub fn effects(data: &Data, text: &str) -> Vec<Effect> {
    press(Screen::Overview, data, text).1
}
