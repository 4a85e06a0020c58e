#include "cli/batch.hpp"

#include <unistd.h>

#include <iostream>
#include <iterator>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/jobs/job_host.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

std::vector<std::string> read_batch(const std::string& file) {
  const std::string text =
      file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : sys::read_file(file);
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
