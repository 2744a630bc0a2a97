//! What `y` puts on the clipboard.

mod drawing;
mod pressing;

use drawing::{plain, sample};
use memtop_ui::data::{ChooserRow, Data, Output, Severity, StackEntry};
use memtop_ui::{Effect, Screen};
use pressing::press;

fn copied(screen: Screen, data: &Data) -> Option<String> {
    let (state, mut effects) = press(screen, data, "y");
    let said = state.notice.expect("something is said").text;
    match effects.pop() {
        Some(Effect::Copy(text)) => {
            assert!(said.starts_with("sent to the terminal’s clipboard"), "{said}");
            Some(text)
        }
        other => {
            assert_eq!((other, said.starts_with("nothing is selected")), (None, true), "{said}");
            None
        }
    }
}

#[test]
fn what_is_selected_is_copied_in_full() {
    let mut data = sample::session();
    let name = &mut data.sites.rows.rows[0].name;
    let long = "std::map<std::string, std::vector<int>>::".repeat(20);
    name.text = long.clone();
    let of_sites = copied(Screen::Sites, &data).unwrap();
    assert!(of_sites.starts_with(&format!("{long} ")) && of_sites.contains(".c:"), "{of_sites}");
    assert_eq!(
        copied(Screen::Processes, &data).as_deref(),
        Some("4242 /usr/bin/redis-server *:6379")
    );
    assert!(copied(Screen::Snapshots, &data).is_some());
    assert!(copied(Screen::Flame, &data).unwrap().starts_with("redis-server "));
    assert_eq!(copied(Screen::Overview, &data), data.sentence);
    for nothing in [Screen::Sizes, Screen::Time, Screen::Events] {
        assert_eq!(copied(nothing, &data), None, "{nothing:?}");
    }
}

#[test]
fn what_turns_text_around_is_neither_copied_nor_drawn() {
    let mut data = sample::session();
    data.sites.rows.rows[0].name.text = "dict\u{202e}ddA\u{1b}[2J".to_owned();
    let turns = |c| matches!(c, '\u{202e}' | '\u{1b}');
    let copied = copied(Screen::Sites, &data).unwrap();
    assert!(copied.starts_with("dict\u{fffd}ddA\u{fffd}") && !copied.contains(turns));
    let drawn = plain(data, Screen::Sites, (80, 24));
    assert!(drawn.contains("dictddA") && !drawn.contains(turns), "{drawn}");
}

#[test]
fn a_stack_is_copied_frame_by_frame() {
    let data = sample::session();
    let entries = &data.site.as_ref().unwrap().stack.entries;
    let stack = copied(Screen::Site, &data).unwrap();
    assert_eq!(stack.lines().count(), entries.len());
    let StackEntry::Frame(first) =
        entries.iter().find(|entry| matches!(entry, StackEntry::Frame(_))).unwrap()
    else {
        unreachable!()
    };
    assert!(stack.contains(&format!("{} ", first.name.text)), "{stack}");
}

#[test]
fn the_output_is_copied_without_its_colours() {
    let screen = sample::screen(70, 10);
    let data = Data { output: Output::Terminal(screen.screen()), ..sample::session() };
    let text = copied(Screen::Output, &data).unwrap();
    assert!(text.contains("4242:M WARNING overcommit_memory is set to 0\n"), "{text}");
    assert!(text.contains("日本語") && !text.contains('\x1b'), "{text}");
}

#[test]
fn control_characters_of_names_reach_no_clipboard() {
    let mut data = sample::session();
    data.sites.rows.rows[0].name.text = "rm\x1b[2J -rf\n~\u{9b}31m\x07".to_owned();
    data.processes.rows.rows[0].command = "sh -c a\rb\nc".to_owned();
    data.chooser.rows =
        vec![ChooserRow { pid: Some(7), command: "x\ny".to_owned(), ..ChooserRow::default() }];
    for screen in [Screen::Sites, Screen::Processes, Screen::Chooser] {
        let text = copied(screen, &data).unwrap();
        assert!(!text.contains(char::is_control) && text.contains('\u{fffd}'), "{text:?}");
    }
}

#[test]
fn as_much_is_copied_as_terminals_take() {
    let mut data = sample::session();
    data.sites.rows.rows[0].name.text = "é".repeat(50_000);
    let (state, effects) = press(Screen::Sites, &data, "y");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(text.len(), 74_994);
    let notice = state.notice.unwrap();
    assert!(notice.severity == Severity::Warning && notice.text.contains("cut"), "{notice:?}");
    assert!(notice.text.chars().count() < 100);
}
