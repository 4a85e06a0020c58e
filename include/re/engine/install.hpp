// A project's dependencies on a host: what `re install` submits as a job.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "re/model/job.hpp"
#include "re/project/file_set.hpp"
#include "re/project/root.hpp"
#include "re/remote/host.hpp"

namespace re::engine {

/// What is to be installed, and how the project wants it.
struct InstallPlan {
  enum class How {
    nothing,       ///< the project needs nothing
    packages,      ///< those in `words`
    requirements,  ///< requirements.txt
    project,       ///< pyproject.toml or setup.py: the project itself, in place
    uv,            ///< uv.lock
    conda,         ///< environment.yml
  };
  How how = How::nothing;
  std::vector<std::string> words = {};
  std::string hash = {};  ///< of the whole set, 64 hex digits; empty with packages
  /// What requirements.txt is to hold, where no person wrote one: the imports of the project, with the
  /// versions that are installed here.
  std::string generated = {};
  std::vector<std::string> notes = {};
};

/// The first of uv.lock, environment.yml, a requirements.txt that a person wrote, pyproject.toml or setup.py,
/// and the imports. Reads the files; writes nothing.
InstallPlan plan_install(const project::Project& project, const project::FileSet& files);
/// Throws Error (usage) for a word that is no requirement as pip takes it.
InstallPlan plan_packages(std::vector<std::string> words);
/// Puts `generated` into requirements.txt. Does nothing without it, or when it stands there already.
void write_requirements(const project::Project& project, const InstallPlan& plan);

/// Where: as in JobSpec.
struct InstallPlace {
  std::string directory;
  std::string python;
  std::string project_id;
};
/// Whether the plan's set is the one that was installed there last. Throws what Host::run() throws.
Async<bool> is_installed(remote::Host& host, const InstallPlace& place, const InstallPlan& plan,
                         std::chrono::milliseconds deadline);
/// Makes `spec` the job that installs it, in the project's own directory.
void set_install(model::JobSpec& spec, const InstallPlan& plan, const InstallPlace& place);

}  // namespace re::engine
