"""The tap's definition for Meltano Hub, in the Hub's own layout."""
