#include "cli/askpass_program.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/terminal.hpp"

namespace re::cli {

namespace {

constexpr std::size_t k_longest_answer = 1023;  // readpass.c

// Reads to the end: a program whose output nobody takes would not end well.
sys::Secret read_first_line(int fd) {
  std::array<char, k_longest_answer> answer{};
  std::array<char, k_longest_answer> piece{};
  std::size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const std::size_t taken = std::min(static_cast<std::size_t>(got), answer.size() - size);
    std::copy_n(piece.begin(), taken, answer.begin() + static_cast<std::ptrdiff_t>(size));
    size += taken;
  }
  const std::string_view text(answer.data(), size);
  sys::Secret secret(text.substr(0, text.find_first_of("\r\n")));
  sys::wipe(answer.data(), answer.size());
  sys::wipe(piece.data(), piece.size());
  return secret;
}

}  // namespace

AskingWay way_to_ask(const sys::Environment& environment, HasTerminal terminal) {
  const std::string require = to_lower(environment("SSH_ASKPASS_REQUIRE").value_or(""));
  const bool has_display = environment("DISPLAY") || environment("WAYLAND_DISPLAY");
  const bool may_run =
      environment("SSH_ASKPASS") && require != "never" && (has_display || require == "force");
  if (may_run && (require == "force" || require == "prefer")) return AskingWay::program;
  if (terminal == HasTerminal::yes) return AskingWay::terminal;
  return may_run ? AskingWay::program : AskingWay::nobody;
}

sys::Secret ask_by_program(std::string_view program, std::string_view prompt) {
  sys::Pipe output = sys::make_pipe();
  sys::SpawnOptions options;
  options.arguments = {std::string(program), std::string(prompt)};
  options.input = -1;
  options.output = output.write_end.get();
  try {
    auto child = sys::Child::spawn(options);
    output.write_end.reset();
    auto answer = read_first_line(output.read_end.get());
    if (child.wait().succeeded()) return answer;
  } catch (const Error& error) {
    throw sys::cannot_ask(prompt, error.message());
  }
  throw sys::cannot_ask(prompt, "no answer was given");
}

}  // namespace re::cli
