#include <algorithm>
#include <optional>
#include <vector>

#include "re/base/strings.hpp"
#include "re/engine/forward.hpp"

namespace re::engine {

namespace {

Error unreadable(std::string_view text, const std::string& why) {
  return {ErrorKind::usage, "cannot forward \"" + std::string(text) + "\": " + why,
          "[BIND:]LPORT:[HOST:]RPORT, or RPORT alone"};
}

// Cuts at colons outside of brackets, which go; nothing where they do not match.
std::optional<std::vector<std::string>> parts_of(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const bool has_brackets = text.starts_with('[');
    const std::size_t end = has_brackets ? text.find(']') : text.find(':');
    if (has_brackets && end == std::string_view::npos) return std::nullopt;
    const std::size_t begin = has_brackets ? 1 : 0;
    parts.emplace_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    text.remove_prefix(std::min(text.size(), has_brackets ? end + 1 : end));
    if (text.empty()) return parts;
    if (!text.starts_with(':')) return std::nullopt;
    text.remove_prefix(1);
  }
}

enum class Zero { allowed, refused };

std::optional<unsigned short> port_of(const std::string& text, Zero zero) {
  const auto port = parse_number<unsigned short>(text);
  return port == 0 && zero == Zero::refused ? std::nullopt : port;
}

// A name or an address: nothing that an ssh client or a log could take for something else.
bool is_host(const std::string& text) {
  const auto is_harmless = [](char letter) {
    return letter > ' ' && letter < '\x7f' &&
           std::string_view("\"*[]").find(letter) == std::string_view::npos;
  };
  const bool is_number = parse_number<unsigned long>(text).has_value();
  return !text.empty() && !text.starts_with('-') && !is_number &&
         std::all_of(text.begin(), text.end(), is_harmless);
}

}  // namespace

Result<ForwardSpec> parse_forward(std::string_view text) {
  auto parts = parts_of(text);
  if (!parts) return unreadable(text, "its brackets do not match");
  if (parts->size() > 4) return unreadable(text, "it has too many parts; an IPv6 address needs brackets");
  ForwardSpec spec;
  const auto remote = port_of(parts->back(), Zero::refused);
  if (!remote) return unreadable(text, "\"" + parts->back() + "\" is no port");
  spec.remote_port = *remote;
  parts->pop_back();
  // Of the two in the middle either may be missing: the local port is a number, and no host is.
  if (parts->size() == 3 || (parts->size() == 2 && !port_of(parts->front(), Zero::allowed))) {
    spec.bind = parts->front();
    if (spec.bind != "*" && !is_host(spec.bind))
      return unreadable(text, "\"" + spec.bind + "\" is no address to listen on");
    parts->erase(parts->begin());
  }
  if (parts->empty()) return spec;
  const auto local = port_of(parts->front(), Zero::allowed);
  if (!local) return unreadable(text, "\"" + parts->front() + "\" is no local port");
  spec.local_port = *local;
  if (parts->size() == 1) return spec;
  spec.host = parts->back();
  if (!is_host(spec.host)) return unreadable(text, "\"" + spec.host + "\" is no host");
  return spec;
}

std::string address_text(const std::string& host, unsigned short port) {
  const bool has_colon = host.find(':') != std::string::npos;
  return (has_colon ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace re::engine
