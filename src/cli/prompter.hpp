// Questions on the controlling terminal, worded as ssh words them.
#pragma once

#include "re/transport/target.hpp"

namespace re::cli {

class TerminalPrompter final : public transport::Prompter {
 public:
  /// \param console where a server's banner goes
  explicit TerminalPrompter(Progress& progress) : m_progress(progress) {}
  sys::Secret secret(std::string_view prompt) override;
  std::string visible(std::string_view prompt) override;
  bool confirm(std::string_view question) override;
  void banner(std::string_view text) override;

 private:
  Progress& m_progress;
};

}  // namespace re::cli
