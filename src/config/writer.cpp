#include "re/config/writer.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "config/ini.hpp"
#include "config/parse.hpp"
#include "config/private_file.hpp"
#include "config/values.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace re::config {

namespace fs = std::filesystem;

namespace {

constexpr mode_t k_private = 0600;

// A lock beside the file would litter a home directory, and one on the file would be lost with its
// replacement.
class DirectoryLock {
 public:
  explicit DirectoryLock(const fs::path& directory)
      : m_fd(sys::open_file(directory, O_RDONLY | O_DIRECTORY)) {
    while (::flock(m_fd.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw errno_error("lock " + directory.string(), errno);
    }
  }

 private:
  sys::Fd m_fd;
};

// Where the file's bytes are, behind symbolic links (a dotfiles repository).
fs::path real_place(const fs::path& path) {
  std::error_code error;
  fs::path place = fs::weakly_canonical(path, error);
  return error ? path : place;
}

struct Style {
  std::string separator = " = ";
  std::string line_end = "\n";
};

// The separator and line end of the first entry, as far as it is one of the usual.
Style style_of(std::string_view text) {
  Style style;
  if (text.find("\r\n") != std::string_view::npos) style.line_end = "\r\n";
  const IniDocument document = parse_ini(text, {});
  if (document.entries.empty()) return style;
  const auto line = split_lines(text)[document.entries.front().line - 1];
  const auto at = line.find_first_of("=:");
  const bool blank_before = at > 0 && (line[at - 1] == ' ' || line[at - 1] == '\t');
  const bool blank_after = at + 1 < line.size() && (line[at + 1] == ' ' || line[at + 1] == '\t');
  style.separator = std::string(blank_before ? " " : "") + line[at] + (blank_after ? " " : "");
  return style;
}

// That reading it back gives the same path.
bool is_writable_path(const fs::path& path) {
  const std::string text = path.string();
  const bool is_plain =
      std::none_of(text.begin(), text.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
  return path.is_absolute() && is_plain && trim(text) == text && text.find(',') == std::string::npos;
}

void check_new(const NewInstance& instance) {
  const auto refuse = [](const std::string& what, const std::string& hint = {}) {
    throw Error(ErrorKind::config, what, hint);
  };
  if (const auto fault = fault_of_username(instance.destination.username)) refuse("the user name " + *fault);
  if (const auto fault = fault_of_host(instance.destination.host)) refuse("the host " + *fault);
  const auto fault = instance.name.empty() ? std::nullopt : fault_of_name(instance.name);
  if (fault) refuse("the name " + *fault);
  for (const auto& file : instance.identity_files) {
    if (is_writable_path(file)) continue;
    refuse("the identity file " + file.string() +
               " cannot be named in an INI file: it is not absolute, or holds a comma, "
               "a control character or a blank at its end",
           "give it another name");
  }
  if (!instance.password) return;
  const auto password = instance.password->reveal();
  if (trim(password) == password &&
      password.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos)
    return;
  refuse("the password cannot be kept in an INI file: it begins or ends with a blank or holds a line end",
         "use a key, or password_command");
}

void refuse_duplicate(const UserLayer& layer, const NewInstance& added) {
  for (const auto& instance : layer.instances) {
    const bool same_name = !added.name.empty() && instance.name.value == added.name;
    const bool same_place = instance.username.value == added.destination.username &&
                            to_lower(instance.host.value) == to_lower(added.destination.host) &&
                            instance.port.value == added.destination.port;
    if (!same_name && !same_place) continue;
    throw Error(ErrorKind::conflict,
                (same_name ? added.name : instance.label()) + " is instance " +
                    std::to_string(*instance.index) + " already (" + to_string(instance.section) + ")",
                same_name ? "choose another name" : "use it with -i " + std::to_string(*instance.index));
  }
}

std::string render_section(std::size_t index, const NewInstance& instance, const Style& style) {
  std::string text = "[instance " + std::to_string(index) + "]" + style.line_end;
  // Enough that no reallocation leaves a copy of the password behind.
  text.reserve(4096 + (instance.password ? 2 * instance.password->reveal().size() : 0));
  const auto add = [&](std::string_view key, std::string_view value) {
    text.append(key).append(style.separator);
    for (const char letter : value) text.append(letter == '%' ? 2U : 1U, letter);
    text.append(style.line_end);
  };
  if (!instance.name.empty()) add("name", instance.name);
  add("username", instance.destination.username);
  add("host", instance.destination.host);
  if (instance.destination.port) add("port", std::to_string(*instance.destination.port));
  for (const auto& file : instance.identity_files) add("identity_file", file.string());
  if (instance.password) add("password", instance.password->reveal());
  return text;
}

}  // namespace

std::size_t append_instance(const fs::path& path, const sys::UserPaths& paths, const NewInstance& instance) {
  check_new(instance);
  const fs::path place = real_place(path);
  if (place.parent_path() == real_place(paths.config)) sys::ensure_private_directory(place.parent_path());
  const DirectoryLock lock(place.parent_path());
  const std::string shown = shown_path(path, paths.home);
  const auto existing = read_private_file(place, shown);
  const std::string_view text = existing ? existing->text.view() : std::string_view();
  const UserLayer layer = parse_user_layer(text, {shown, paths.home}).value();
  refuse_duplicate(layer, instance);
  const std::size_t index = layer.instances.empty() ? 0 : *layer.instances.back().index + 1;
  const Style style = style_of(text);
  std::string gap;
  if (!text.empty() && text.back() != '\n') gap += style.line_end;
  if (!text.empty() && !text.ends_with("\n\n") && !text.ends_with("\n\r\n")) gap += style.line_end;
  WipedText section(render_section(index, instance, style));
  const mode_t mode = instance.password || layer.password || !existing ? k_private : existing->mode;
  sys::AtomicFile file(place, mode);
  for (const std::string_view part : {text, std::string_view(gap), section.view()}) file.write(part);
  file.commit();
  return index;
}

void write_sample(const fs::path& path, Overwrite overwrite) {
  const fs::path place = real_place(path);
  std::error_code error;
  if (!fs::exists(place.parent_path(), error)) sys::ensure_private_directory(place.parent_path());
  const DirectoryLock lock(place.parent_path());
  const bool is_there = fs::symlink_status(path, error).type() != fs::file_type::not_found;
  if (is_there && overwrite == Overwrite::no) {
    throw Error(ErrorKind::conflict, path.string() + " exists", "use --force to overwrite it");
  }
  sys::write_file_atomic(place, sample_text(), k_private);
}

std::string_view sample_text() {
  return R"(# Configuration of re. One "key = value" on a line; a comment has a line of its own, because '#' and ';' may be part
# of a value. Quotes are literal. A '%' before another '%' or '(' is written "%%".

[general]
# What -i means when it is not given: an index, a name, user@host, or local (this machine).
#instance = 0
# Where projects lie on a host, below the home directory there.
#remote_home = projects/
# How long the connection master lives when nothing uses it; 0 does without it.
#persist = 10min
# How long one host among several (probe, list) may take.
#deadline = 20s
# For connecting and logging in; without it as ssh -G says.
#connect_timeout = 10s
# In place of ~/.ssh/config.
#ssh_config = ~/.ssh/config

# One section for each machine; indices may have gaps. Only host is needed; it may be an alias of ~/.ssh/config.
#[instance 0]
#name = gpu1
#username = grenouille
#host = grasse.local
#port = 22
# May be repeated.
#identity_file = ~/.ssh/id_ed25519
# A key or an agent is better. A file with a password must have mode 0600.
#password = secret
# A command whose first output line is the password, instead of it.
#password_command = pass show gpu1
# auto, ssh2, openssh or local.
#transport = auto
# A server whose key is not known yet: ask, accept-new or strict.
#host_key = ask
#connect_timeout = 10s
#tags = lab, a100
#remote_home = projects/
#python = python3
)";
}

}  // namespace re::config
