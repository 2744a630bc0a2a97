//! The keys: one table from which dispatch, footer, help page and README table are derived.

mod bindings;

pub use bindings::BINDINGS;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::action::Action;
use crate::state::{Mode, Question, Screen, State};

use KeyCode::{BackTab, Down, Left, PageDown, PageUp, Right, Up};
use Scope::{Clear, Code, Everywhere, Help, On, Prompt, Quit, Tables, Typing};

/// A key with its modifiers. Shift is part of the character, not a modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every screen, unless the screen says otherwise.
    Everywhere,
    /// On one screen.
    On(Screen),
    /// On the screens about code: sites, a site, flame, snapshots.
    Code,
    /// On the screens with a plain table: sizes, processes.
    Tables,
    /// On the help page.
    Help,
    /// While a line is typed.
    Prompt,
    /// While keys go to the program.
    Typing,
    /// While the quit dialog asks.
    Quit,
    /// While the clear dialog asks.
    Clear,
}

/// What a person wants to do with a key: the headings of the help page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Go somewhere.
    Look,
    /// See what changed.
    Compare,
    /// Sort tables, and decide what their rows are.
    Sort,
    /// Go back in time.
    Time,
    /// Decide what is traced.
    Trace,
    /// Talk to the program.
    Program,
    /// Everything about memtop itself.
    Memtop,
    /// Move in a list or a text.
    Move,
}

impl Group {
    /// All groups in the order of the help page.
    pub const ALL: [Self; 8] = [
        Self::Look,
        Self::Compare,
        Self::Sort,
        Self::Time,
        Self::Trace,
        Self::Program,
        Self::Memtop,
        Self::Move,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Look => "Look around",
            Self::Compare => "See what changed",
            Self::Sort => "Sort and sum up",
            Self::Time => "Go back in time",
            Self::Trace => "Decide what is traced",
            Self::Program => "The program",
            Self::Memtop => "memtop itself",
            Self::Move => "Move in lists and texts",
        }
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// Keys that do the same.
    pub keys: &'static [Key],
    /// Where they hold.
    pub scope: Scope,
    /// What they ask for.
    pub action: Action,
    /// A word for the footer; empty for keys that are not advertised there.
    pub label: &'static str,
    /// A line for the help page.
    pub help: &'static str,
    /// The heading it stands under.
    pub group: Group,
}

impl Binding {
    /// Whether it leads to a screen by its digit.
    pub(crate) fn is_tour(&self) -> bool {
        matches!(self.action, Action::Show(_))
            && matches!(self.keys[0].code, KeyCode::Char('0'..='9'))
    }
}

/// The scopes in force, the strongest first.
pub fn scopes(state: &State) -> &'static [Scope] {
    match (&state.mode, state.screen) {
        (Mode::Help, _) => &[Help],
        (Mode::Prompt(_), _) => &[Prompt],
        (Mode::Typing, _) => &[Typing],
        (Mode::Asking(dialog), _) => match dialog.question {
            Question::Quit | Question::LeftBehind => &[Quit],
            Question::Clear => &[Clear],
        },
        (Mode::Browse, Screen::Overview) => &[On(Screen::Overview), Everywhere],
        (Mode::Browse, Screen::Sites) => &[On(Screen::Sites), Code, Everywhere],
        (Mode::Browse, Screen::Site) => &[On(Screen::Site), Code, Everywhere],
        (Mode::Browse, Screen::Flame) => &[On(Screen::Flame), Code, Everywhere],
        (Mode::Browse, Screen::Snapshots) => &[On(Screen::Snapshots), Code, Everywhere],
        (Mode::Browse, Screen::Sizes) => &[On(Screen::Sizes), Tables, Everywhere],
        (Mode::Browse, Screen::Processes) => &[On(Screen::Processes), Tables, Everywhere],
        (Mode::Browse, Screen::Time) => &[On(Screen::Time), Everywhere],
        (Mode::Browse, Screen::Output) => &[On(Screen::Output), Everywhere],
        (Mode::Browse, Screen::Events) => &[On(Screen::Events), Everywhere],
        (Mode::Browse, Screen::Chooser) => &[On(Screen::Chooser), Everywhere],
    }
}

/// What `event` asks for in this state.
///
/// ```
/// use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
/// use memtop_ui::{Action, Screen, State, keymap};
/// let state = State::new(Screen::Overview, (80, 24));
/// let key = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::NONE);
/// assert_eq!(keymap::dispatch(&state, key), Some(Action::Mark));
/// ```
pub fn dispatch(state: &State, event: KeyEvent) -> Option<Action> {
    if event.is_release() {
        return None;
    }
    let pressed = Key::from(event);
    let bound = scopes(state).iter().find_map(|scope| lookup(*scope, pressed));
    bound.map(|binding| binding.action.clone()).or_else(|| unbound(&state.mode, event))
}

fn lookup(scope: Scope, pressed: Key) -> Option<&'static Binding> {
    BINDINGS.iter().find(|b| b.scope == scope && b.keys.contains(&pressed))
}

/// Keys outside the table are text where text is expected.
fn unbound(mode: &Mode, event: KeyEvent) -> Option<Action> {
    match (mode, event.code) {
        (Mode::Typing, _) => Some(Action::Type(event)),
        (Mode::Prompt(_), KeyCode::Char(c))
            if (event.modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(Action::Insert(c))
        }
        _ => None,
    }
}

/// The bindings the footer advertises in this state: the way to the screens, what this screen
/// alone can do, and the rest.
pub fn advertised(state: &State) -> impl Iterator<Item = &'static Binding> {
    let scopes = scopes(state);
    let tour = state.screen != Screen::Chooser;
    let offered = move |b: &&Binding| {
        scopes.contains(&b.scope)
            && !b.label.is_empty()
            && (tour || makes_sense_without_program(b))
            && !is_hidden(b, scopes)
    };
    let place = |b: &Binding| match b.scope {
        _ if b.is_tour() => 0,
        On(_) => 1,
        Code if b.action == Action::AllFrames => 4,
        Code => 2,
        _ => 3,
    };
    (0..5)
        .flat_map(move |wanted| BINDINGS.iter().filter(offered).filter(move |b| place(b) == wanted))
}

/// Whether the key means something else in a stronger scope.
fn is_hidden(binding: &Binding, scopes: &[Scope]) -> bool {
    let stronger = scopes.iter().take_while(|scope| **scope != binding.scope);
    stronger.into_iter().any(|scope| lookup(*scope, binding.keys[0]).is_some())
}

/// Before a program is chosen, there is nothing to mark, pause or look at.
fn makes_sense_without_program(binding: &Binding) -> bool {
    matches!(
        binding.action,
        Action::Quit
            | Action::Help
            | Action::Back
            | Action::Choose
            | Action::Move(_)
            | Action::ToggleTheme
            | Action::Repaint
            | Action::Suspend
    )
}

/// The key table of the README.
pub fn markdown_table() -> String {
    let mut table = String::from("| keys | where | what |\n| --- | --- | --- |\n");
    for binding in BINDINGS {
        let keys: Vec<_> = binding.keys.iter().map(|key| format!("`{}`", key.name())).collect();
        let row = [keys.join(" "), binding.scope.name().to_owned(), binding.help.to_owned()];
        let row = row.map(|cell| cell.replace('|', "\\|"));
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    table
}

impl Scope {
    /// Where that is, in words.
    pub fn name(self) -> &'static str {
        match self {
            Everywhere => "everywhere",
            On(Screen::Chooser) => "chooser",
            On(Screen::Overview) => "overview",
            On(Screen::Sites) => "sites",
            On(Screen::Site) => "a site",
            On(Screen::Flame) => "flame",
            On(Screen::Snapshots) => "snapshots",
            On(Screen::Time) => "time",
            Code => "sites, flame, snapshots",
            On(Screen::Sizes) => "sizes",
            On(Screen::Processes) => "processes",
            Tables => "sizes, processes",
            On(Screen::Output) => "output",
            On(Screen::Events) => "events",
            Help => "help",
            Prompt => "typing a line",
            Typing => "typing to the program",
            Quit => "quit dialog",
            Clear => "clear dialog",
        }
    }
}

impl Key {
    /// The key as a person calls it.
    pub fn name(self) -> String {
        match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.modifiers == KeyModifiers::CONTROL => {
                format!("Ctrl-{}", c.to_ascii_uppercase())
            }
            KeyCode::Char(c) => c.to_string(),
            Up => "↑".to_owned(),
            Down => "↓".to_owned(),
            Left => "←".to_owned(),
            Right => "→".to_owned(),
            PageUp => "PgUp".to_owned(),
            PageDown => "PgDn".to_owned(),
            BackTab => "Shift-Tab".to_owned(),
            other => other.to_string(),
        }
    }
}

/// Terminals send one byte for both Ctrl-] and Ctrl-5, which is read as the latter.
fn canonical(code: KeyCode, modifiers: KeyModifiers) -> KeyCode {
    match code {
        KeyCode::Char('5') if modifiers == KeyModifiers::CONTROL => KeyCode::Char(']'),
        code => code,
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let modifiers = match event.code {
            KeyCode::Char(_) | BackTab => event.modifiers - KeyModifiers::SHIFT,
            _ => event.modifiers,
        };
        Self { code: canonical(event.code, modifiers), modifiers }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::{Discriminant, discriminant};

    use super::bindings::ch;
    use super::*;

    #[test]
    fn no_key_means_two_things_in_a_scope() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(
                    seen.insert((binding.scope, key.name())),
                    "{} {:?}",
                    key.name(),
                    binding.scope
                );
            }
        }
    }

    #[test]
    fn every_entry_has_help_and_a_screen_of_its_own_keeps_the_common_keys() {
        for binding in BINDINGS {
            assert!(!binding.help.is_empty() && !binding.keys.is_empty(), "{binding:?}");
        }
        for common in [Action::Quit, Action::Help, Action::NextScreen, Action::Back] {
            let everywhere = |b: &&Binding| b.scope == Everywhere && b.action == common;
            let binding = BINDINGS.iter().find(everywhere).unwrap();
            let hidden = |b: &&Binding| {
                matches!(b.scope, On(_)) && binding.keys.iter().any(|k| b.keys.contains(k))
            };
            assert!(!BINDINGS.iter().any(|b| hidden(&b)), "{common:?} is hidden by a screen");
        }
    }

    /// One of each kind of action that a key can express; text is not in the table.
    #[test]
    fn each_action_is_reachable() {
        let bound: HashSet<Discriminant<Action>> =
            BINDINGS.iter().map(|b| discriminant(&b.action)).collect();
        let text = [
            Action::Insert('x'),
            Action::Paste(String::new()),
            Action::Type(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)),
        ];
        let text: HashSet<_> = text.iter().map(discriminant).collect();
        assert!(bound.is_disjoint(&text));
        assert_eq!(
            bound.len() + text.len(),
            53,
            "an action was added: bind it, or count it as text"
        );
    }

    #[test]
    fn screens_answer_to_their_digits() {
        for &(digit, screen, _) in crate::state::SCREENS {
            let binding = lookup(Everywhere, ch(digit)).unwrap();
            assert_eq!(binding.action, Action::Show(screen));
        }
    }

    #[test]
    fn the_markdown_table_has_a_row_for_every_binding() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), BINDINGS.len() + 2);
        for row in table.lines() {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        }
        assert!(table.contains("| `q` `Ctrl-C` | everywhere |"));
    }
}
