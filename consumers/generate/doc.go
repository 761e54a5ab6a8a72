// Package generate builds datasets: when the archive has settled a window of a Dataset spec, it compiles the spec, runs the
// engine over the archive's files, stores the parts and registers the dataset, which emits dataset.ready.
//
// A window is, in order,
//
//	open       the archive's watermark has not passed its horizon (end + maturity of the label)
//	due        it has; windows of one spec are built one after the other, oldest first
//	built      a dataset with the spec's name and the window's end is registered
//	empty      it has no row with a label; nothing is registered
//
// Only "built" is kept anywhere. Everything before the registration may be done again: from the same files the same plan
// gives the same bytes under the same keys, which are created once and then only compared.
//
//	crash or error while                  then
//	fetching, building                    the window is due again; temporary files are removed
//	storing a part                        the part is there: compared, not written
//	registering                           one transaction: registered and announced, or due again
//	between two instances                 both build; the second finds the window built before it registers
//
// A changed spec applies from the newest due window on: that one is built again, older ones are not.
// archive.sealed is only a hint to look; so is the lack of one, because Run looks every Interval.
package generate
