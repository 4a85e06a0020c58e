#include "cli/prompter.hpp"

#include "cli/askpass_program.hpp"
#include "re/base/strings.hpp"
#include "re/sys/terminal.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

// A server words these: control characters become visible, and the last blank that a prompt ends in stays.
std::string harmless(std::string_view prompt) {
  std::string text;
  for (const auto line : split_lines(prompt)) {
    if (!text.empty()) text += '\n';
    text += ui::sanitise_line(line);
  }
  return text;
}

AskingWay way() {
  return way_to_ask(sys::process_environment(), sys::open_terminal() ? HasTerminal::yes : HasTerminal::no);
}

std::string askpass_program() {
  return sys::process_environment()("SSH_ASKPASS").value_or("");
}

enum class Typed { hidden, shown };

sys::Secret ask(AskingWay way, std::string_view question, Typed typed) {
  const std::string prompt = harmless(question);
  if (way == AskingWay::program) return ask_by_program(askpass_program(), prompt);
  return typed == Typed::hidden ? sys::ask_secret(prompt) : sys::Secret(sys::ask_line(prompt));
}

}  // namespace

sys::Secret TerminalPrompter::secret(std::string_view prompt) {
  m_console.clear_status();
  return ask(way(), prompt, Typed::hidden);
}

std::string TerminalPrompter::visible(std::string_view prompt) {
  m_console.clear_status();
  return std::string(ask(way(), prompt, Typed::shown).reveal());
}

bool TerminalPrompter::can_ask() const {
  return way() != AskingWay::nobody;
}

bool TerminalPrompter::confirm(std::string_view question) {
  m_console.clear_status();
  const AskingWay asking = way();
  if (asking == AskingWay::nobody) return false;
  std::string prompt = harmless(question) + " (yes/no)? ";
  for (;;) {
    std::string answer;
    try {
      answer = to_lower(trim(ask(asking, prompt, Typed::shown).reveal()));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::auth) throw;  // else the program said no by its exit code
    }
    if (answer == "yes" || answer == "y") return true;
    if (asking == AskingWay::program || answer == "no" || answer == "n" || answer.empty()) return false;
    prompt = "Please type 'yes' or 'no': ";
  }
}

void TerminalPrompter::banner(std::string_view text) {
  for (const auto line : split_lines(text)) m_progress.note(ui::sanitise_line(line));
}

}  // namespace re::cli
