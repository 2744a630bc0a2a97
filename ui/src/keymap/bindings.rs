//! The table of keys.

use crossterm::event::{KeyCode, KeyModifiers};

use super::{Binding, Group, Key, Scope};
use crate::action::{Action, Answer, Motion, Seek, Step};
use crate::data::{DiffSort, SortKey};
use crate::state::Screen;

pub(super) const fn key(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

pub(super) const fn ch(c: char) -> Key {
    key(KeyCode::Char(c))
}

pub(super) const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
}

macro_rules! bindings {
    ($( $group:ident, $scope:expr, [$($key:expr),+], $action:expr, $label:literal, $help:literal; )*) => {
        &[$( Binding { keys: &[$($key),+], scope: $scope, action: $action, label: $label, help: $help, group: Group::$group } ),*]
    };
}

use KeyCode::{
    BackTab, Backspace, Down, End, Enter, Esc, F, Home, Left, PageDown, PageUp, Right, Tab, Up,
};
use Scope::{Clear, Code, Everywhere, Help, On, Prompt, Quit, Tables, Typing};

/// Every key memtop knows, in the order of footer and help page.
#[rustfmt::skip]
pub static BINDINGS: &[Binding] = bindings![
    Look, Everywhere, [ch('1')], Action::Show(Screen::Overview), "overview", "overview: timeline, sizes, growth";
    Look, Everywhere, [ch('2')], Action::Show(Screen::Sites), "sites", "sites: which code asked for the memory";
    Look, Everywhere, [ch('3')], Action::Show(Screen::Flame), "flame", "flame: the call tree, as wide as its memory";
    Look, Everywhere, [ch('4')], Action::Show(Screen::Snapshots), "snapshots", "snapshots: marked moments, and what differs between two of them";
    Look, Everywhere, [ch('5')], Action::Show(Screen::Sizes), "sizes", "sizes: all size classes, and what else is resident";
    Look, Everywhere, [ch('6')], Action::Show(Screen::Processes), "processes", "processes: the tree of fork and exec, and threads";
    Look, Everywhere, [ch('7')], Action::Show(Screen::Output), "output", "output: the program's own terminal";
    Look, Everywhere, [ch('8')], Action::Show(Screen::Time), "time", "time: go back to any moment of the session or the recording";
    Look, Everywhere, [ch('9')], Action::Show(Screen::Events), "events", "events: the live tail of allocations and frees";
    Look, Everywhere, [key(Tab)], Action::NextScreen, "", "next screen";
    Look, Everywhere, [key(BackTab)], Action::PreviousScreen, "", "previous screen";
    Look, On(Screen::Events), [ch('/'), ch('\\')], Action::EditFilter, "filter", "filter events: >1K  <=64  =32  alloc  free  realloc  untracked  a thread's id or name";
    Look, On(Screen::Sites), [key(Enter)], Action::Choose, "open", "the selected row in full: stack, source lines, history; of a thread, where it asked";
    Look, On(Screen::Snapshots), [key(Enter)], Action::Choose, "open", "the selected row in full";
    Look, On(Screen::Flame), [key(Enter)], Action::Choose, "zoom", "let the selected frame fill the width";
    Look, On(Screen::Flame), [key(Backspace)], Action::ZoomOutFrame, "", "zoom out by a frame";
    Look, On(Screen::Flame), [ch('v')], Action::NextMeasure, "measure", "widths mean live, at peak, allocated, or growth";
    Look, On(Screen::Flame), [ch('i')], Action::Invert, "invert", "turn the tree over: from the code that asked to its callers";
    Look, On(Screen::Flame), [ch('n')], Action::Match(Step::Next), "", "to the next frame that matches the filter";
    Look, On(Screen::Flame), [ch('N')], Action::Match(Step::Previous), "", "to the frame before that matches";
    Look, On(Screen::Site), [ch(']')], Action::Stack(Step::Next), "other stack", "the next stack of the group, the largest first";
    Look, On(Screen::Site), [ch('[')], Action::Stack(Step::Previous), "", "the stack before";
    Look, On(Screen::Site), [key(Backspace)], Action::Back, "", "back to the table";
    Look, Code, [ch('/'), ch('\\')], Action::EditFilter, "filter", "filter code: a part of any name  fn:parse  file:dict.c  module:libc  thread:io  size>1M  blocks>1000  delta>0  -word leaves out  * and ? stand for anything";
    Look, Code, [ch('f')], Action::AllFrames, "all frames", "show the frames of allocators, libraries and the runtime as well, or fold them";
    Sort, On(Screen::Sites), [ch('m')], Action::Regroup, "group", "sum by site (the line that asked), function, file, module, thread, stack";
    Sort, On(Screen::Sites), [ch('o')], Action::SortSites(SortKey::Live), "", "sort by live bytes of its own; the same key again turns the order round";
    Sort, On(Screen::Sites), [ch('t')], Action::SortSites(SortKey::WithCallees), "", "sort by live bytes in total, with those of what it called";
    Sort, On(Screen::Sites), [ch('D')], Action::SortSites(SortKey::DeltaBytes), "", "sort by growth since the baseline";
    Sort, On(Screen::Sites), [ch('N')], Action::SortSites(SortKey::DeltaBlocks), "", "sort by growth in blocks";
    Sort, On(Screen::Sites), [ch('B')], Action::SortSites(SortKey::Blocks), "", "sort by live blocks";
    Sort, On(Screen::Sites), [ch('a')], Action::SortSites(SortKey::Allocations), "", "sort by allocations";
    Sort, On(Screen::Sites), [ch('A')], Action::SortSites(SortKey::Allocated), "", "sort by allocated bytes";
    Sort, On(Screen::Sites), [ch('R')], Action::SortSites(SortKey::PerSecond), "", "sort by allocations per second";
    Sort, On(Screen::Sites), [ch('Y')], Action::SortSites(SortKey::Temporary), "", "sort by the share of temporary blocks";
    Sort, On(Screen::Sites), [ch('P')], Action::SortSites(SortKey::AtPeak), "", "sort by live bytes at the peak";
    Sort, On(Screen::Sites), [key(Right)], Action::SortColumn(Step::Next), "", "sort by the next column";
    Sort, On(Screen::Sites), [key(Left)], Action::SortColumn(Step::Previous), "", "sort by the column before";
    Sort, On(Screen::Sites), [ch('I')], Action::ReverseOrder, "", "turn the order of rows round";
    Sort, On(Screen::Snapshots), [ch('m')], Action::Regroup, "group", "sum by site (the line that asked), function, file, module, thread, stack";
    Sort, On(Screen::Snapshots), [ch('o')], Action::WithCallees(false), "", "let a function count what it asked for itself";
    Sort, On(Screen::Snapshots), [ch('t')], Action::WithCallees(true), "", "let a function count what it called as well";
    Sort, On(Screen::Snapshots), [ch('D')], Action::SortDiff(DiffSort::Bytes), "", "sort by difference in bytes";
    Sort, On(Screen::Snapshots), [ch('B')], Action::SortDiff(DiffSort::Blocks), "", "sort by difference in blocks";
    Sort, On(Screen::Snapshots), [ch('I')], Action::ReverseOrder, "", "turn the order of rows round";
    Sort, On(Screen::Overview), [ch('m')], Action::RegroupGrowth, "", "tell growth by site or by size";
    Move, Code, [key(Up), ch('k')], Action::Move(Motion::Up), "", "up";
    Move, Code, [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Move, Code, [key(PageUp)], Action::Move(Motion::PageUp), "", "a page up";
    Move, Code, [key(PageDown)], Action::Move(Motion::PageDown), "", "a page down";
    Move, Code, [key(Home), ch('g')], Action::Move(Motion::Top), "", "to the top";
    Move, Code, [key(End), ch('G')], Action::Move(Motion::Bottom), "", "to the bottom";
    Move, On(Screen::Flame), [key(Left), ch('h')], Action::Move(Motion::Left), "", "to the left";
    Move, On(Screen::Flame), [key(Right), ch('l')], Action::Move(Motion::Right), "", "to the right";
    Program, On(Screen::Processes), [key(Enter)], Action::Choose, "show", "show the selected process on all screens";
    Compare, On(Screen::Sizes), [ch('v')], Action::ToggleBars, "bars", "draw the bars by bytes or by blocks";
    Move, Tables, [key(Up), ch('k')], Action::Move(Motion::Up), "", "up";
    Move, Tables, [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Move, Tables, [key(PageUp)], Action::Move(Motion::PageUp), "", "a page up";
    Move, Tables, [key(PageDown)], Action::Move(Motion::PageDown), "", "a page down";
    Move, Tables, [key(Home), ch('g')], Action::Move(Motion::Top), "", "to the top";
    Move, Tables, [key(End), ch('G')], Action::Move(Motion::Bottom), "", "to the bottom";
    Move, On(Screen::Events), [key(Up), ch('k')], Action::Move(Motion::Up), "", "up";
    Move, On(Screen::Events), [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Move, On(Screen::Events), [key(PageUp)], Action::Move(Motion::PageUp), "", "a page up";
    Move, On(Screen::Events), [key(PageDown)], Action::Move(Motion::PageDown), "", "a page down";
    Move, On(Screen::Events), [key(Home), ch('g')], Action::Move(Motion::Top), "", "to the top";
    Move, On(Screen::Events), [key(End), ch('G')], Action::Move(Motion::Bottom), "", "to the bottom";
    Look, Everywhere, [ch('<')], Action::Process(Step::Previous), "", "show the process before, when the program started others";
    Look, Everywhere, [ch('>')], Action::Process(Step::Next), "", "show the process after";
    Compare, Everywhere, [ch('s')], Action::Mark, "mark", "mark this moment with a number and measure growth from it";
    Compare, Everywhere, [ch('d')], Action::Show(Screen::Snapshots), "diff", "what differs between two moments";
    Compare, Everywhere, [ch('b')], Action::NextBaseline, "baseline", "measure growth from the next mark, or from the start again";
    Compare, On(Screen::Snapshots), [ch('[')], Action::PairFrom(Step::Next), "from", "compare with the next moment of the list";
    Compare, On(Screen::Snapshots), [ch('{')], Action::PairFrom(Step::Previous), "", "compare with the moment before";
    Compare, On(Screen::Snapshots), [ch(']')], Action::PairTo(Step::Next), "to", "look at the next moment of the list";
    Compare, On(Screen::Snapshots), [ch('}')], Action::PairTo(Step::Previous), "", "look at the moment before";
    Compare, On(Screen::Snapshots), [ch('v')], Action::FlameOfGrowth, "flame of Δ", "show the growth as a flame";
    Compare, On(Screen::Snapshots), [ch('n')], Action::NameMark, "name", "give the mark a name";
    Compare, On(Screen::Snapshots), [ch('w')], Action::SaveSnapshot, "save", "write the moment to a file";
    Compare, On(Screen::Snapshots), [ch('L')], Action::LoadSnapshot, "load", "read a moment from a file, of this run or another";
    Time, On(Screen::Time), [ch(' ')], Action::Play, "play", "let time go on by itself, or stop it";
    Time, On(Screen::Time), [ch('+')], Action::Speed(Step::Next), "faster", "faster";
    Time, On(Screen::Time), [ch('-')], Action::Speed(Step::Previous), "slower", "slower";
    Time, On(Screen::Time), [ch('.'), ch('l')], Action::Seek(Seek::Tick(Step::Next)), "step", "on by a reading";
    Time, On(Screen::Time), [ch(','), ch('h')], Action::Seek(Seek::Tick(Step::Previous)), "", "back by a reading";
    Time, On(Screen::Time), [key(Right)], Action::Seek(Seek::Column(Step::Next)), "", "on by a hundredth of the time";
    Time, On(Screen::Time), [key(Left)], Action::Seek(Seek::Column(Step::Previous)), "", "back by a hundredth";
    Time, On(Screen::Time), [ch(']')], Action::Seek(Seek::Stop(Step::Next)), "jump", "to the next mark, peak, start, pause or growth";
    Time, On(Screen::Time), [ch('[')], Action::Seek(Seek::Stop(Step::Previous)), "", "to the one before";
    Time, On(Screen::Time), [ch('P')], Action::Seek(Seek::Peak), "peak", "to the peak";
    Time, On(Screen::Time), [ch('n')], Action::Seek(Seek::Growth), "growth", "to the next sudden growth";
    Time, On(Screen::Time), [key(Home), ch('g')], Action::Seek(Seek::Start), "", "to the start of tracing";
    Time, On(Screen::Time), [key(End), ch('G')], Action::Seek(Seek::End), "", "to the present, or the end";
    Compare, Everywhere, [ch(' '), ch('Z')], Action::Freeze, "freeze", "hold the tables still, as scrolling events does; header and timeline go on";
    Compare, On(Screen::Overview), [ch('+')], Action::ZoomIn, "zoom", "show less time on the timeline";
    Compare, On(Screen::Overview), [ch('-')], Action::ZoomOut, "", "show more time";
    Compare, On(Screen::Overview), [ch('=')], Action::ZoomReset, "", "show all time";
    Compare, On(Screen::Overview), [ch('v')], Action::ToggleBars, "", "draw the size bars by bytes or by blocks";
    Trace, Everywhere, [ch('p')], Action::ToggleTracing, "pause", "pause or resume tracing; frees of traced blocks are still seen";
    Trace, Everywhere, [ch('r')], Action::ToggleRecording, "record", "record the session into a file, or complete the recording";
    Trace, Everywhere, [ch('c')], Action::Clear, "", "clear: begin a new window, older blocks become untracked";
    Program, On(Screen::Output), [ch('i'), key(Enter)], Action::StartTyping, "type", "let the keyboard go to the program";
    Program, Typing, [ctrl(']')], Action::StopTyping, "back to memtop", "take the keyboard back";
    Move, On(Screen::Output), [key(Up), ch('k')], Action::Move(Motion::Up), "scroll", "up";
    Move, On(Screen::Output), [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Move, On(Screen::Output), [key(PageUp)], Action::Move(Motion::PageUp), "", "a page up";
    Move, On(Screen::Output), [key(PageDown)], Action::Move(Motion::PageDown), "", "a page down";
    Move, On(Screen::Output), [key(Home), ch('g')], Action::Move(Motion::Top), "", "to the top";
    Move, On(Screen::Output), [key(End), ch('G')], Action::Move(Motion::Bottom), "", "to the bottom";
    Program, On(Screen::Chooser), [key(Enter)], Action::Choose, "join", "join the selected program";
    Move, On(Screen::Chooser), [key(Up), ch('k')], Action::Move(Motion::Up), "choose", "up";
    Move, On(Screen::Chooser), [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Memtop, Everywhere, [ch('?'), key(F(1))], Action::Help, "help", "this page";
    Memtop, Help, [ch('?'), key(F(1)), key(Esc), ch('q'), ctrl('c')], Action::Back, "back", "leave this page";
    Move, Help, [key(Up), ch('k')], Action::Move(Motion::Up), "scroll", "up";
    Move, Help, [key(Down), ch('j')], Action::Move(Motion::Down), "", "down";
    Move, Help, [key(PageUp)], Action::Move(Motion::PageUp), "", "a page up";
    Move, Help, [key(PageDown), ch(' ')], Action::Move(Motion::PageDown), "", "a page down";
    Move, Help, [key(Home), ch('g')], Action::Move(Motion::Top), "", "to the top";
    Move, Help, [key(End), ch('G')], Action::Move(Motion::Bottom), "", "to the bottom";
    Memtop, Everywhere, [ch('y')], Action::Copy, "", "copy what is selected, in full";
    Memtop, Everywhere, [ch('T')], Action::ToggleTheme, "", "colours for a dark or a light terminal";
    Memtop, Everywhere, [key(Esc)], Action::Back, "", "undo: zoom out, clear the filter, return to the present, let frozen tables go on, go to the overview";
    Memtop, Everywhere, [ctrl('l')], Action::Repaint, "", "draw everything anew";
    Memtop, Everywhere, [ctrl('z')], Action::Suspend, "", "suspend memtop; the program goes on";
    Memtop, Everywhere, [ch('q'), ctrl('c')], Action::Quit, "quit", "quit; asks what becomes of a program that still runs";
    Memtop, Prompt, [key(Enter)], Action::Choose, "apply", "use what was typed";
    Memtop, Prompt, [key(Esc), ctrl('c')], Action::Back, "cancel", "forget what was typed";
    Memtop, Prompt, [key(Backspace)], Action::Erase, "", "take back a character";
    Memtop, Quit, [ch('d'), ch('q'), ctrl('c')], Action::Answer(Answer::Detach), "detach", "leave; the program goes on";
    Memtop, Quit, [ch('e')], Action::Answer(Answer::EndProgram), "end the program", "leave and end the program";
    Memtop, Quit, [ch('s'), key(Esc)], Action::Answer(Answer::Stay), "stay", "do not leave";
    Memtop, Quit, [key(Up), key(Left), key(BackTab), ch('k')], Action::Move(Motion::Up), "", "the answer above";
    Memtop, Quit, [key(Down), key(Right), key(Tab), ch('j')], Action::Move(Motion::Down), "", "the answer below";
    Memtop, Quit, [key(Enter)], Action::Choose, "choose", "take the selected answer";
    Memtop, Clear, [ch('c')], Action::Answer(Answer::Clear), "clear", "begin a new window";
    Memtop, Clear, [ch('s'), ch('q'), key(Esc), ctrl('c')], Action::Answer(Answer::Stay), "keep", "keep everything";
    Memtop, Clear, [key(Up), key(Left), key(BackTab), ch('k')], Action::Move(Motion::Up), "", "the answer above";
    Memtop, Clear, [key(Down), key(Right), key(Tab), ch('j')], Action::Move(Motion::Down), "", "the answer below";
    Memtop, Clear, [key(Enter)], Action::Choose, "choose", "take the selected answer";
];
