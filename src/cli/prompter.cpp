#include "cli/prompter.hpp"

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

}  // namespace

sys::Secret TerminalPrompter::secret(std::string_view prompt) {
  m_console.clear_status();
  return sys::ask_secret(harmless(prompt));
}

std::string TerminalPrompter::visible(std::string_view prompt) {
  m_console.clear_status();
  return sys::ask_line(harmless(prompt));
}

bool TerminalPrompter::confirm(std::string_view question) {
  m_console.clear_status();
  if (!sys::open_terminal()) return false;
  std::string prompt = harmless(question) + " (yes/no)? ";
  for (;;) {
    const std::string answer = to_lower(trim(sys::ask_line(prompt)));
    if (answer == "yes" || answer == "y") return true;
    if (answer == "no" || answer == "n" || answer.empty()) return false;
    prompt = "Please type 'yes' or 'no': ";
  }
}

void TerminalPrompter::banner(std::string_view text) {
  for (const auto line : split_lines(text)) m_progress.note(ui::sanitise_line(line));
}

}  // namespace re::cli
