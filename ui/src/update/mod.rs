//! How a wish changes the state, and what it asks of the rest of memtop.

mod code;
mod copy;
mod flame;
mod marks;
mod prompt;
mod time;

pub(crate) use flame::cursor as flame_cursor;
pub use time::advance;

use crate::action::{Action, Answer, Motion, Step};
use crate::cursor::moved;
use crate::data::{Baseline, Data, Key, Notice, Origin, Output, RunState, When};
use crate::keys;
use crate::state::{Bars, Dialog, Mode, Question, SCREENS, Screen, State};
use crate::widget::timeline::zoom;

/// What the caller of [`update`] has to do.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Effect {
    /// Nothing: the frame is still right.
    None,
    /// Draw a frame.
    Redraw,
    /// Forget what the terminal shows and draw every cell.
    Repaint,
    /// Leave.
    Quit(Leave),
    /// Begin to trace.
    StartTracing,
    /// Trace no new blocks.
    StopTracing,
    /// Record into a file: what is kept of the session, and what comes.
    StartRecording,
    /// Complete the recording.
    StopRecording,
    /// Begin a new window: what was traced so far becomes untracked.
    Clear,
    /// Remember the sizes of this moment; the mark is in [`State::marks`] already.
    Marked(u32),
    /// A mark got a name, or lost it; it is in [`State::marks`] already.
    Named(u32),
    /// Write a snapshot of a moment to a file.
    SaveSnapshot(When, String),
    /// Read a snapshot from a file and let it be one of the moments.
    LoadSnapshot(String),
    /// Let everything be shown as it was at this moment; at none, as it is.
    Seek(Option<f64>),
    /// Let a program that was stopped go on.
    Continue,
    /// Write these bytes to the program's terminal.
    SendInput(Vec<u8>),
    /// Join the program in this row of the chooser.
    Join(usize),
    /// Put this text on the clipboard.
    Copy(String),
    /// Give the terminal back and stop until continued.
    Suspend,
}

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// There is nothing to decide.
    Leave,
    /// The program goes on.
    Detach,
    /// The program is asked to end.
    EndProgram,
}

/// Applies `action` to `state`; `data` is what the person saw when asking.
pub fn update(state: &mut State, action: Action, data: &Data) -> Effect {
    state.notice = None;
    match action {
        Action::Quit => quit(state, data),
        Action::Show(screen) => show(state, screen),
        Action::NextScreen => show(state, neighbour(state.screen, 1)),
        Action::PreviousScreen => show(state, neighbour(state.screen, SCREENS.len() - 1)),
        Action::Help => enter(state, Mode::Help),
        Action::Back => back(state),
        Action::Freeze => freeze(state),
        Action::Mark => marks::mark(state, data),
        Action::NextBaseline => marks::next_baseline(state, data),
        Action::ToggleBars => toggle_bars(state),
        Action::ToggleTracing => toggle_tracing(state, data),
        Action::ToggleRecording => toggle_recording(state, data),
        Action::Clear => ask_clear(state, data),
        Action::ZoomIn => set_zoom(state, zoom::closer(state.zoom_s, data.timeline.now_s)),
        Action::ZoomOut => set_zoom(state, zoom::wider(state.zoom_s, data.timeline.now_s)),
        Action::ZoomReset => set_zoom(state, None),
        Action::Process(step) => process(state, step, data),
        Action::ToggleTheme => toggle_theme(state),
        Action::Repaint => Effect::Repaint,
        Action::Copy => copy::copy(state, data),
        Action::Suspend => Effect::Suspend,
        Action::Move(motion) => go(state, motion, data, state.page()),
        Action::Wheel(step) => wheel(state, step, data),
        Action::Pick(key) => pick(state, key, data),
        Action::Choose => choose(state, data),
        Action::Answer(answer) => answered(state, answer),
        Action::EditFilter | Action::NameMark | Action::SaveSnapshot | Action::LoadSnapshot => {
            prompt::open(state, &action, data)
        }
        Action::Insert(c) => prompt::edit(state, |text| text.push(c), true),
        Action::Erase => prompt::edit(state, |text| _ = text.pop(), false),
        Action::Regroup => code::regroup(state),
        Action::RegroupGrowth => code::regroup_growth(state),
        Action::SortSites(by) => code::sort_sites(state, by),
        Action::SortColumn(step) => code::sort_column(state, step),
        Action::SortDiff(by) => code::sort_diff(state, by),
        Action::ReverseOrder => code::reverse_order(state),
        Action::WithCallees(with) => code::with_callees(state, with),
        Action::AllFrames => code::all_frames(state),
        Action::Stack(step) => code::stack(state, step, data),
        Action::PairFrom(step) => code::pair(state, code::Side::From, step, data),
        Action::PairTo(step) => code::pair(state, code::Side::To, step, data),
        Action::NextMeasure => flame::next_measure(state),
        Action::Invert => flame::invert(state),
        Action::ZoomOutFrame => flame::zoom_out(state, data),
        Action::Match(step) => flame::to_match(state, step, data),
        Action::FlameOfGrowth => flame::of_growth(state),
        Action::Play => time::play(state, data),
        Action::Speed(step) => time::speed(state, step),
        Action::Seek(seek) => time::seek(state, seek, data),
        Action::StartTyping => start_typing(state, data),
        Action::StopTyping => enter(state, Mode::Browse),
        Action::Type(key) => send_key(state, key, data),
        Action::Paste(text) => paste(state, &text, data),
    }
}

fn enter(state: &mut State, mode: Mode) -> Effect {
    state.mode = mode;
    state.help_scroll = 0;
    Effect::Redraw
}

fn tell(state: &mut State, notice: Notice) -> Effect {
    state.notice = Some(notice);
    Effect::Redraw
}

fn quit(state: &mut State, data: &Data) -> Effect {
    let header = &data.header;
    let question = match header.still_runs {
        false if header.left_behind > 0 => Question::LeftBehind,
        _ => Question::Quit,
    };
    let nothing_runs = !header.runs() && question == Question::Quit;
    if state.screen == Screen::Chooser || nothing_runs {
        return Effect::Quit(Leave::Leave);
    }
    match header.origin {
        Origin::Replay => Effect::Quit(Leave::Leave),
        Origin::Launched | Origin::Joined if !header.read_only => ask(state, question),
        // There is one answer.
        _ => Effect::Quit(Leave::Detach),
    }
}

fn ask(state: &mut State, question: Question) -> Effect {
    enter(state, Mode::Asking(Dialog { question, selected: 0 }))
}

fn show(state: &mut State, screen: Screen) -> Effect {
    if state.screen == Screen::Chooser {
        return Effect::None;
    }
    state.screen = screen;
    Effect::Redraw
}

fn neighbour(screen: Screen, offset: usize) -> Screen {
    let at = SCREENS.iter().position(|(_, s, _)| *s == screen).unwrap_or(0);
    SCREENS[(at + offset) % SCREENS.len()].1
}

/// One step towards where everything began.
fn back(state: &mut State) -> Effect {
    if state.mode != Mode::Browse {
        return enter(state, Mode::Browse);
    }
    if state.screen == Screen::Site {
        return show(state, state.site.opened_from);
    }
    if state.screen == Screen::Time && state.playback.at_s.is_some() {
        return time::to_present(state);
    }
    if flame::leave_zoom(state) || prompt::clear_filter(state) {
        return Effect::Redraw;
    }
    if state.frozen { freeze(state) } else { show(state, Screen::Overview) }
}

fn freeze(state: &mut State) -> Effect {
    state.frozen = !state.frozen;
    if !state.frozen {
        state.events_scroll = 0;
    }
    Effect::Redraw
}

fn toggle_bars(state: &mut State) -> Effect {
    state.bars = match state.bars {
        Bars::Bytes => Bars::Blocks,
        Bars::Blocks => Bars::Bytes,
    };
    Effect::Redraw
}

fn toggle_theme(state: &mut State) -> Effect {
    state.palette = state.palette.other();
    Effect::Repaint
}

/// Whether the person may steer the program's tracing; says so if not.
fn may_steer(state: &mut State, data: &Data) -> bool {
    may_act(state, data, data.header.state.is_alive())
}

/// Whether the person may act on the program, if it `lives`; says so if not.
fn may_act(state: &mut State, data: &Data, lives: bool) -> bool {
    let reason = if state.screen == Screen::Chooser {
        "join a program first"
    } else if data.header.read_only {
        "this view is read-only"
    } else if data.header.state == RunState::Untraced && !lives {
        "the program is not traced any more"
    } else if !lives {
        "the program has ended"
    } else {
        return true;
    };
    state.notice = Some(Notice::warning(reason));
    false
}

fn toggle_tracing(state: &mut State, data: &Data) -> Effect {
    match may_steer(state, data) {
        false => Effect::Redraw,
        true if data.header.tracing.on => Effect::StopTracing,
        true => Effect::StartTracing,
    }
}

fn toggle_recording(state: &mut State, data: &Data) -> Effect {
    match data.header.recording {
        Some(_) if !data.header.read_only => Effect::StopRecording,
        None if data.header.origin == Origin::Replay => {
            tell(state, Notice::info("this is a recording already"))
        }
        // What is kept of a program that has ended can still be written.
        _ if may_act(state, data, data.header.state != RunState::Disconnected) => {
            Effect::StartRecording
        }
        _ => Effect::Redraw,
    }
}

fn ask_clear(state: &mut State, data: &Data) -> Effect {
    if may_steer(state, data) { ask(state, Question::Clear) } else { Effect::Redraw }
}

fn set_zoom(state: &mut State, zoom_s: Option<f64>) -> Effect {
    state.zoom_s = zoom_s;
    Effect::Redraw
}

fn process(state: &mut State, step: Step, data: &Data) -> Effect {
    let count = data.header.process.count;
    if count < 2 {
        return tell(state, Notice::info("the program has started no other process"));
    }
    let offset = if step == Step::Next { 1 } else { count - 1 };
    state.process = (state.process + offset) % count;
    Effect::Redraw
}

/// Rows that the wheel moves at a time.
const NOTCH: usize = 3;

fn wheel(state: &mut State, step: Step, data: &Data) -> Effect {
    let motion = match (step, state.screen) {
        // The flame goes from frame to frame.
        (Step::Previous, Screen::Flame) => Motion::Up,
        (Step::Next, Screen::Flame) => Motion::Down,
        (Step::Previous, _) => Motion::PageUp,
        (Step::Next, _) => Motion::PageDown,
    };
    go(state, motion, data, NOTCH)
}

fn pick(state: &mut State, key: Key, data: &Data) -> Effect {
    let taken = match state.screen {
        Screen::Sites => state.sites.cursor.pick(key, &data.sites.rows, |row| row.key),
        Screen::Sizes => state.classes.pick(key, &data.classes.rows, |row| row.key()),
        Screen::Processes => state.tree.pick(key, &data.processes.rows, |row| row.key),
        Screen::Snapshots => state.diff.cursor.pick(key, &data.snapshots.diff.rows, |row| row.key),
        Screen::Flame => state.flame.selected.replace(key) == Some(key),
        Screen::Site => {
            state.site.entry = usize::try_from(key.0).ok();
            false
        }
        Screen::Chooser => {
            let row = usize::try_from(key.0).unwrap_or(0);
            std::mem::replace(&mut state.selected, row) == row
        }
        _ => false,
    };
    if taken { choose(state, data) } else { Effect::Redraw }
}

fn go(state: &mut State, motion: Motion, data: &Data, page: usize) -> Effect {
    if let Mode::Asking(dialog) = &mut state.mode {
        let last = dialog.question.answers().len() - 1;
        dialog.selected = moved(dialog.selected, motion, last, page);
    } else if state.mode == Mode::Help {
        let last = crate::screen::help::last_line(state);
        state.help_scroll = moved(state.help_scroll, motion, last, page);
    } else {
        go_on_screen(state, motion, data, page);
    }
    Effect::Redraw
}

fn go_on_screen(state: &mut State, motion: Motion, data: &Data, page: usize) {
    match state.screen {
        Screen::Overview | Screen::Time => {}
        Screen::Sites | Screen::Site | Screen::Snapshots => code::go(state, motion, data, page),
        Screen::Flame => flame::go(state, motion, data),
        Screen::Sizes => state.classes.go(motion, &data.classes.rows, page, |row| row.key()),
        Screen::Processes => state.tree.go(motion, &data.processes.rows, page, |row| row.key),
        Screen::Chooser => {
            let last = data.chooser.rows.len().saturating_sub(1);
            state.selected = moved(state.selected, motion, last, page);
        }
        Screen::Events => {
            let last = data.events.rows.len().saturating_sub(1);
            state.events_scroll = moved(state.events_scroll, motion, last, page);
            state.frozen |= state.events_scroll > 0;
        }
        Screen::Output => {
            if let Output::Terminal(screen) = data.output {
                let last = screen.scrollback_len();
                state.scrollback = moved(state.scrollback, reversed(motion), last, page);
            }
        }
    }
}

/// Scrollback counts from the end.
fn reversed(motion: Motion) -> Motion {
    match motion {
        Motion::Up => Motion::Down,
        Motion::Down => Motion::Up,
        Motion::PageUp => Motion::PageDown,
        Motion::PageDown => Motion::PageUp,
        Motion::Top => Motion::Bottom,
        Motion::Bottom => Motion::Top,
        sideways => sideways,
    }
}

fn choose(state: &mut State, data: &Data) -> Effect {
    match &state.mode {
        Mode::Asking(dialog) => {
            let (answer, ..) = dialog.question.answers()[dialog.selected];
            answered(state, answer)
        }
        Mode::Prompt(_) => prompt::apply(state),
        _ => choose_on_screen(state, data),
    }
}

fn choose_on_screen(state: &mut State, data: &Data) -> Effect {
    match state.screen {
        Screen::Chooser if state.selected < data.chooser.rows.len() => Effect::Join(state.selected),
        Screen::Sites => code::open_row(state, data),
        Screen::Snapshots => {
            code::open(state, data.snapshots.diff.rows.chosen().map(|row| row.key))
        }
        Screen::Flame => flame::zoom_in(state, data),
        Screen::Processes => show_process(state, data),
        _ => Effect::None,
    }
}

/// Lets all screens be about the selected process.
fn show_process(state: &mut State, data: &Data) -> Effect {
    let Some(row) = data.processes.rows.chosen() else {
        return Effect::None;
    };
    match row.position {
        Some(position) => {
            state.process = position;
            let words = format!("process {} is shown on all screens", row.pid);
            tell(state, Notice::info(words))
        }
        None => tell(state, Notice::info("it is not traced: there is nothing to show of it")),
    }
}

fn answered(state: &mut State, answer: Answer) -> Effect {
    state.mode = Mode::Browse;
    match answer {
        Answer::Detach => Effect::Quit(Leave::Detach),
        Answer::EndProgram => Effect::Quit(Leave::EndProgram),
        Answer::Clear => {
            // What a mark of the old window held says nothing of growth in the new one.
            state.baseline = Baseline::Start;
            Effect::Clear
        }
        Answer::Stay => Effect::Redraw,
    }
}

fn start_typing(state: &mut State, data: &Data) -> Effect {
    match data.output {
        Output::Terminal(_) if may_act(state, data, data.header.runs()) => {
            state.scrollback = 0;
            let effect = enter(state, Mode::Typing);
            if data.header.stopped { Effect::Continue } else { effect }
        }
        Output::Terminal(_) => Effect::Redraw,
        _ => tell(state, Notice::info("memtop does not hold this program's terminal")),
    }
}

fn send_key(state: &mut State, key: crossterm::event::KeyEvent, data: &Data) -> Effect {
    let Output::Terminal(screen) = data.output else {
        return enter(state, Mode::Browse);
    };
    if !data.header.runs() {
        return enter(state, Mode::Browse);
    }
    match keys::encode(key, screen.application_cursor()) {
        bytes if bytes.is_empty() => Effect::None,
        bytes => Effect::SendInput(bytes),
    }
}

fn paste(state: &mut State, text: &str, data: &Data) -> Effect {
    match (&state.mode, &data.output) {
        (Mode::Typing, Output::Terminal(screen)) => {
            Effect::SendInput(keys::encode_paste(text, screen.bracketed_paste()))
        }
        (Mode::Prompt(_), _) => {
            let line: String = text.chars().filter(|c| !c.is_control()).collect();
            prompt::edit(state, |text| text.push_str(&line), true)
        }
        _ => Effect::None,
    }
}
