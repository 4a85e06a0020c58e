#include "cli/batch.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/jobs/job_host.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

namespace {

std::string read_text(const std::string& file) {
  const auto rest_of = [](std::istream& stream) {
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  if (file == "-") return rest_of(std::cin);
  std::error_code error;
  if (!std::filesystem::is_fifo(file, error)) return sys::read_file(file);
  std::ifstream pipe(file, std::ios::binary);  // <(command) of a shell
  return rest_of(pipe);
}

}  // namespace

std::vector<std::string> read_batch(const std::string& file) {
  const std::string text = read_text(file);
  std::vector<std::string> commands;
  std::size_t number = 0;
  for (const auto line : split_lines(text)) {
    ++number;
    const auto words = trim(line);
    if (words.empty() || words.front() == '#') continue;
    if (line.size() > jobs::k_command_limit || line.find('\0') != std::string_view::npos) {
      throw Error(ErrorKind::usage,
                  "line " + std::to_string(number) + " of " + file +
                      " is no command: it is too long or holds a NUL byte",
                  "put it in a script");
    }
    commands.emplace_back(line);
  }
  if (commands.empty()) throw Error(ErrorKind::usage, file + " has no commands", "one a line");
  return commands;
}

}  // namespace re::cli
