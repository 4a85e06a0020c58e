#include "re/base/error.hpp"

#include <array>
#include <system_error>
#include <utility>

namespace re {

std::string_view to_string(ErrorKind kind) {
  static constexpr std::array<std::string_view, 13> k_names = {
      "usage",   "config",      "not_found", "conflict", "auth", "host_key",   "unreachable",
      "timeout", "unsupported", "remote",    "protocol", "io",   "interrupted"};
  return k_names.at(static_cast<std::size_t>(kind));
}

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : m_kind(kind), m_message(std::move(message)), m_hint(std::move(hint)) {
  render();
}

Error& Error::within(std::string context) {
  m_contexts.push_back(std::move(context));
  render();
  return *this;
}

void Error::render() {
  m_what.clear();
  for (auto context = m_contexts.rbegin(); context != m_contexts.rend(); ++context) m_what += *context + ": ";
  m_what += m_message;
  if (!m_hint.empty()) m_what += "; " + m_hint;
}

Error errno_error(std::string_view action, int error_number) {
  return {ErrorKind::io,
          "cannot " + std::string(action) + ": " + std::generic_category().message(error_number)};
}

}  // namespace re
