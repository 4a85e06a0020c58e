# `cpack -G DEB`. Debian has another package named re (a converter of Russian texts) with /usr/bin/re, so ours bears
# another name and cannot be installed beside it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME re-remote)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(RE_MAINTAINER "The re authors <re@example.org>" CACHE STRING "Who answers for the package: NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT "${RE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "run a project on any machine that ssh reaches")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-client, rsync")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "git, man-db")
set(CPACK_DEBIAN_PACKAGE_CONFLICTS re)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Runs commands on other machines as jobs that outlive the connection, from a
snapshot of the project that later edits never touch, and brings their logs
and results back. The other machine needs a POSIX sh, rsync and util-linux;
nothing is installed there.")

# The changelog of the package as such; the program's own is changelog.gz. Its date is that of the sources.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(re_epoch "@$ENV{SOURCE_DATE_EPOCH}")
else()
  execute_process(COMMAND git -C "${CMAKE_SOURCE_DIR}" log -1 --format=@%ct OUTPUT_VARIABLE re_epoch ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
execute_process(COMMAND date -Rud "${re_epoch}" OUTPUT_VARIABLE re_date OUTPUT_STRIP_TRAILING_WHITESPACE)
file(WRITE "${re_install_dir}/changelog.Debian"
     "re-remote (${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
     "  * See changelog.gz.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${re_date}\n")
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_SOURCE_DIR}/cmake/DebianDocs.cmake")
set(CPACK_RE_CHANGELOG "${re_install_dir}/changelog.Debian")
set(CPACK_RE_GZIP "${RE_GZIP}")
include(CPack)
