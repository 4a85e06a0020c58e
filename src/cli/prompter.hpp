// Questions on the controlling terminal, or by SSH_ASKPASS's program, worded as ssh words them.
#pragma once

#include "re/transport/target.hpp"
#include "re/ui/console.hpp"

namespace re::cli {

class TerminalPrompter final : public transport::Prompter {
 public:
  /// Both outlive this. A server's banner goes to `progress`; what `console` shows for the moment makes room
  /// for a question.
  TerminalPrompter(Progress& progress, ui::Console& console) : m_progress(progress), m_console(console) {}
  sys::Secret secret(std::string_view prompt) override;
  std::string visible(std::string_view prompt) override;
  bool confirm(std::string_view question) override;
  void banner(std::string_view text) override;
  [[nodiscard]] bool can_ask() const override;

 private:
  Progress& m_progress;
  ui::Console& m_console;
};

}  // namespace re::cli
