#include "config/parse.hpp"
#include "config/private_file.hpp"
#include "re/base/error.hpp"
#include "re/config/settings.hpp"

namespace re::config {

namespace fs = std::filesystem;

namespace {

void check_password_is_private(const PrivateFile& file, const Origin& password) {
  if ((file.mode & 077U) == 0) return;
  throw Error(ErrorKind::config, to_string(password) + ": the file holds a password but others can read it",
              "chmod 600 " + password.file);
}

bool is_present(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

void load_user_layer(const Sources& sources, Settings& settings) {
  const fs::path path = user_file(sources);
  const std::string shown = shown_path(path, sources.paths.home);
  const auto file = read_private_file(path, shown);
  if (!file && sources.explicit_file)
    throw Error(ErrorKind::config, "there is no configuration file " + shown);
  if (!file) return;
  UserLayer layer = parse_user_layer(file->text.view(), {shown, sources.paths.home}).value();
  if (layer.password) check_password_is_private(*file, *layer.password);
  settings.general = std::move(layer.general);
  settings.instances = std::move(layer.instances);
  settings.user_file = path;
}

void load_project_layer(const Sources& sources, Settings& settings) {
  if (!sources.project_file) return;
  const std::string shown = shown_path(*sources.project_file, sources.paths.home);
  const auto file = read_project_file(*sources.project_file, shown);
  if (file) settings.project = parse_project_layer(file->text.view(), {shown, sources.paths.home}).value();
}

}  // namespace

fs::path user_file(const Sources& sources) {
  if (sources.explicit_file) return *sources.explicit_file;
  const fs::path own = sources.paths.config / "re.conf";
  const fs::path earlier = sources.paths.home / ".recompute.conf";
  return !is_present(own) && is_present(earlier) ? earlier : own;
}

Settings load_settings(const Sources& sources) {
  Settings settings;
  load_user_layer(sources, settings);
  load_project_layer(sources, settings);
  return settings;
}

std::string to_string(const Origin& origin) {
  return origin.file.empty() ? "built-in default" : origin.file + ":" + std::to_string(origin.line);
}

}  // namespace re::config
