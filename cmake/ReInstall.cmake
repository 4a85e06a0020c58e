# `cmake --install`: Debian's places. Pages and changelogs are compressed as dh_compress does.
find_program(RE_GZIP gzip REQUIRED)
set(re_install_dir "${CMAKE_BINARY_DIR}/install")
file(MAKE_DIRECTORY "${re_install_dir}")

# re_install_compressed(FILE DESTINATION NAME)
function(re_install_compressed file destination name)
  set(compressed "${re_install_dir}/${name}.gz")
  add_custom_command(OUTPUT "${compressed}" COMMAND "${RE_GZIP}" -9nc "${file}" > "${compressed}" DEPENDS "${file}" VERBATIM)
  set_property(GLOBAL APPEND PROPERTY RE_COMPRESSED "${compressed}")
  install(FILES "${compressed}" DESTINATION "${destination}")
endfunction()

install(TARGETS re RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
re_install_compressed("${CMAKE_SOURCE_DIR}/man/re.1" "${CMAKE_INSTALL_MANDIR}/man1" re.1)
re_install_compressed("${CMAKE_SOURCE_DIR}/man/re.conf.5" "${CMAKE_INSTALL_MANDIR}/man5" re.conf.5)
re_install_compressed("${CMAKE_SOURCE_DIR}/CHANGELOG.md" "${CMAKE_INSTALL_DOCDIR}" changelog)
get_property(re_compressed GLOBAL PROPERTY RE_COMPRESSED)
add_custom_target(re_compressed ALL DEPENDS ${re_compressed})

install(FILES completions/re.bash DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME re)
install(FILES completions/_re DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions")
install(FILES completions/re.fish DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")

# The licence as Debian's copyright file (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).
file(READ LICENSE re_licence)
string(REGEX REPLACE "^MIT License\n\n(Copyright [^\n]*)\n\n" "" re_licence "${re_licence}")
set(re_copyright "${CMAKE_MATCH_1}")
string(REGEX REPLACE "^Copyright (\\(c\\) )?" "" re_copyright "${re_copyright}")
string(STRIP "${re_licence}" re_licence)
string(REGEX REPLACE "\n\n" "\n.\n" re_licence "${re_licence}")
string(REGEX REPLACE "\n" "\n " re_licence "${re_licence}")
file(WRITE "${re_install_dir}/copyright"
     "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
     "Files: *\nCopyright: ${re_copyright}\nLicense: Expat\n ${re_licence}\n")
install(FILES "${re_install_dir}/copyright" "${CMAKE_BINARY_DIR}/generated/re.spdx.json" README.md
        DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY examples DESTINATION "${CMAKE_INSTALL_DOCDIR}" PATTERN __pycache__ EXCLUDE PATTERN .recompute EXCLUDE)
